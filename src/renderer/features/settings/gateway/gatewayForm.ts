import { GatewaySettings } from '../../../../shared/model/agent.ts'
import { shellQuote } from '../../../components/CliEquivalent.tsx'

export interface GatewayFormState {
  readonly address: string
  readonly port: string
  /** Separated by spaces or commas. */
  readonly names: string
}

export type GatewayProblems = Readonly<Partial<Record<keyof GatewayFormState, string>>>

export const defaultGatewayPort = 8443

const words = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '')

const fallback: Readonly<Record<keyof GatewayFormState, string>> = {
  address: 'an IP address of this machine, e.g. 10.0.0.5',
  port: 'a port is a number from 0 to 65535; 0 takes a free one',
  names: 'one to sixteen host names or IP addresses that agents reach this machine by, e.g. control.internal',
}

/** Without a name of its own the address is what agents use. */
export function readGatewayForm(
  form: GatewayFormState,
): { readonly settings: GatewaySettings } | { readonly problems: GatewayProblems } {
  const address = form.address.trim()
  const names = words(form.names)
  const reachable = names.length > 0 || isEveryAddress(address) ? names : [address]
  const port = form.port.trim() === '' ? Number.NaN : Number(form.port)
  const parsed = GatewaySettings.safeParse({ address, port, names: reachable })
  if (parsed.success) return { settings: parsed.data }
  const fields = parsed.error.issues.map((issue) => issue.path[0] as keyof GatewayFormState)
  // Names taken from a wrong address are wrong for the same reason: that is said once.
  const told = fields.includes('address') && names.length === 0 ? fields.filter((field) => field !== 'names') : fields
  return { problems: Object.fromEntries(told.map((field) => [field, fallback[field]])) }
}

/** `0.0.0.0` and `::`: every network this machine is in. */
export const isEveryAddress = (address: string): boolean => address === '0.0.0.0' || /^(0*:)+0*$/.test(address)

export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'

/** Who will be able to knock, in one sentence. */
export function reachSentence({ address }: Pick<GatewaySettings, 'address'>): string {
  if (isEveryAddress(address)) return 'Every network this machine is in can open a connection.'
  if (isLoopback(address))
    return 'Only programs on this machine can open a connection: good for a try, no use for other hosts.'
  return `Whoever reaches ${address} can open a connection.`
}

export const gatewayCli = {
  status: 'lockstep gateway status',
  disable: 'lockstep gateway disable',
  enable: ({ address, port, names }: GatewaySettings): string =>
    `lockstep gateway enable --address ${address} --port ${port} ${names.map((name) => `--name ${shellQuote(name)}`).join(' ')}`,
} as const
