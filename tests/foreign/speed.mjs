// How fast llama.cpp writes: greedy, one token at a time, from a given prompt.
//
//   HONE_FOREIGN_DIR=<folder with node_modules> node speed.mjs MODEL TOKENS.json COUNT THREADS
//
// prints { tokens, prompt_seconds, seconds, tokens_per_second } as `hone lab generate` does: the first token comes with the
// prompt, and `seconds` runs from it to the last.

import {readFileSync} from "node:fs";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const [modelPath, tokensPath, count, threads] = process.argv.slice(2);
const folder = process.env.HONE_FOREIGN_DIR ?? import.meta.dirname;
const llamaCpp = await import(pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")).href);
const llama = await llamaCpp.getLlama({
    gpu: false, build: "never", maxThreads: Number(threads), logLevel: llamaCpp.LlamaLogLevel.error, progressLogs: false
});
const model = await llama.loadModel({modelPath, gpuLayers: 0});
const context = await model.createContext({contextSize: 1024, batchSize: 512, threads: Number(threads), sequences: 1});
const sequence = context.getSequence();
const tokens = [];
const begun = performance.now();
let first = begun;
// Every token is kept, the end of a turn too, so that both sides write the same number.
for await (const token of sequence.evaluate(JSON.parse(readFileSync(tokensPath, "utf8")), {temperature: 0})) {
    if (tokens.length === 0) first = performance.now();
    tokens.push(token);
    if (tokens.length >= Number(count)) break;
}
const seconds = (performance.now() - first) / 1000;
const result = {tokens, prompt_seconds: (first - begun) / 1000, seconds, tokens_per_second: (tokens.length - 1) / seconds};
process.stdout.write(JSON.stringify(result) + "\n", () => process.exit(0));
