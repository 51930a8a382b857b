/*
 * What the parts of the engine may ask of each other. Domain folders implement these and know nothing else of one
 * another; `engine.ts` puts them together, tests put in what they need.
 */

export * from './ports/channels.ts'
export * from './ports/demo.ts'
export * from './ports/gateway.ts'
export * from './ports/pki.ts'
export * from './ports/registry.ts'
export * from './ports/repositories.ts'
export * from './ports/rollouts.ts'
export * from './ports/ssh.ts'
export * from './ports/store.ts'
