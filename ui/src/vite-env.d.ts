/** Whether this build carries the in-memory host: never in the shipped pages. */
declare const __FAKE_HOST__: boolean;
