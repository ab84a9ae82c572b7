// What llama.cpp itself makes of a model file: tokens, greedy answers, logits.
//
//   HONE_FOREIGN_DIR=<folder with node_modules> node oracle.mjs < request.json > answer.json
//
// request: { model, adapter?, tokenize?: [{text, special}], greedy?: [{ids, count}], logits?: [{ids, from, top}], context? }
// answer:  { tensors, architecture, eos, eot, tokenize: [[id]], greedy: [[{token, margin}]],
//            logits: [[{top: [[id, logit]], logsumexp}]] }
// Positions of `logits` run from `from` to the last id; each holds the logits of the token after it.

import {join} from "node:path";
import {pathToFileURL} from "node:url";
import {text} from "node:stream/consumers";

const folder = process.env.HONE_FOREIGN_DIR ?? import.meta.dirname;
const llamaCpp = await import(pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")).href);
const request = JSON.parse(await text(process.stdin));

const llama = await llamaCpp.getLlama({
    gpu: false, build: "never", maxThreads: 1, logLevel: llamaCpp.LlamaLogLevel.error, progressLogs: false
});
const evaluates = request.greedy != null || request.logits != null;
const model = await llama.loadModel({modelPath: request.model, gpuLayers: 0, vocabOnly: !evaluates});
const answer = {tokenize: [], greedy: [], logits: []};
const file = model.fileInfo;
answer.tensors = Number(file.totalTensorCount);
answer.architecture = model.architecture;
answer.eos = model.tokens.eos;
answer.eot = model.tokens.eot;

for (const {text, special} of request.tokenize ?? [])
    answer.tokenize.push(Array.from(model.tokenize(text, special)));

if (evaluates) {
    const context = await model.createContext({
        contextSize: request.context ?? 512, batchSize: 512, threads: 1, sequences: 1, flashAttention: false,
        experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32",
        ...(request.adapter == null ? {} : {lora: request.adapter})
    });
    const sequence = context.getSequence();

    // Evaluates all ids; asks for the logits after each id from `from` on.
    async function evaluate(ids, from, top) {
        const items = ids.map((id, index) => (index < from ? id : [id, {
            generateNext: {logits: {filter: {tokens: [], includeTop: top, includeMax: true}}, totalLogitWeight: true}
        }]));
        const results = await sequence.controlledEvaluate(items);
        return results.slice(from).map(({next}) => {
            const ranked = [...next.logits.entries()].sort((left, right) => right[1] - left[1]);
            return {top: ranked, logsumexp: ranked[0][1] + Math.log(next.totalLogitWeight)};
        });
    }

    for (const {ids, count} of request.greedy ?? []) {
        await sequence.clearHistory();
        const answered = [];
        let next = ids;
        for (let step = 0; step < count; step++) {
            const [{top}] = (await evaluate(next, next.length - 1, 2)).slice(-1);
            answered.push({token: top[0][0], margin: top[0][1] - top[1][1]});
            next = [top[0][0]];
        }
        answer.greedy.push(answered);
    }
    for (const {ids, from, top} of request.logits ?? []) {
        await sequence.clearHistory();
        answer.logits.push(await evaluate(ids, from, top));
    }
}
// Ending before the pipe has taken everything would cut the answer.
process.stdout.write(JSON.stringify(answer), () => process.exit(0));
