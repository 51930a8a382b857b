// Runs before every module of the page: zod otherwise finds out whether it may compile code by trying, which the content
// security policy reports as a violation.
globalThis.__zod_globalConfig = { jitless: true }
