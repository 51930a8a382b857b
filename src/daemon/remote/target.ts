import { ControlPlane, controlPlaneName } from '../../shared/controlPlane.ts'
import { AppError } from '../../shared/errors.ts'

/** Where another control plane is, in the words of ssh. */
export interface RemoteTarget {
  /** A name or address, or an alias of the user's own ssh configuration. */
  readonly host: string
  /** Null: as ssh is configured. */
  readonly user: string | null
  readonly port: number | null
  /** Its home directory there, absolute or with `~/`; null: the usual places are looked at. */
  readonly home: string | null
}

/**
 * Reads `user@host[:port]`; an IPv6 address stands in brackets.
 * @throws AppError INVALID_INPUT
 */
export function parseTarget(text: string, home: string | null = null): RemoteTarget {
  const read = ControlPlane.safeParse({ name: text, home })
  if (!read.success) throw new AppError('INVALID_INPUT', `The control plane: ${read.error.issues[0]?.message}`)
  const { user = null, address, host, port } = controlPlaneName.exec(text)?.groups ?? {}
  const name = address ?? host
  const number = port === undefined ? null : Number(port)
  if (name === undefined || number === 0 || (number ?? 0) > 65_535)
    throw new AppError('INVALID_INPUT', 'The control plane: a port is from 1 to 65535.')
  return { host: name, user, port: number, home }
}

/** As a person wrote it, or could have. */
export function targetWords({ host, user, port }: RemoteTarget): string {
  const name = host.includes(':') ? `[${host}]` : host
  return `${user === null ? '' : `${user}@`}${name}${port === null ? '' : `:${port}`}`
}
