import packageJson from '../../package.json' with { type: 'json' }

/** Of this agent; sent with every request. */
export const agentVersion: string = packageJson.version
