import { shellQuote } from '../../components/CliEquivalent.tsx'

/** `1h`, `90m`, `45s`: the longest unit that says it exactly. */
export function lifetimeArgument(lifetimeSeconds: number): string {
  if (lifetimeSeconds % 86_400 === 0) return `${lifetimeSeconds / 86_400}d`
  if (lifetimeSeconds % 3600 === 0) return `${lifetimeSeconds / 3600}h`
  return lifetimeSeconds % 60 === 0 ? `${lifetimeSeconds / 60}m` : `${lifetimeSeconds}s`
}

/** The commands that do the same as the buttons of the agents view. */
export const cli = {
  list: 'lockstep agents list',
  tokens: 'lockstep agents tokens',
  show: (agent: string): string => `lockstep agents show ${shellQuote(agent)}`,
  revoke: (agent: string, reason: string): string =>
    `lockstep agents revoke ${shellQuote(agent)} --reason ${shellQuote(reason)}`,
  withdraw: (token: string): string => `lockstep agents withdraw ${shellQuote(token)}`,
  remove: (agent: string): string => `lockstep agents remove ${shellQuote(agent)}`,
  join: (nodeName: string | null, lifetimeSeconds: number): string =>
    `lockstep agents join${nodeName === null ? '' : ` --name ${shellQuote(nodeName)}`} --lifetime ${lifetimeArgument(lifetimeSeconds)}`,
} as const
