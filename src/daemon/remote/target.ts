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

// Neither begins with a dash: ssh must not take them for options.
const targetText =
  /^(?:(?<user>[\w.][\w.$-]{0,63})@)?(?:\[(?<address>[0-9A-Fa-f:.%\w]{2,64})\]|(?<host>[\w.][\w.-]{0,252}))(?::(?<port>\d{1,5}))?$/
const homeText = /^(?:~?\/)[^\p{Cc}]{0,4094}$|^~$/u

/**
 * Reads `user@host[:port]`; an IPv6 address stands in brackets.
 * @throws AppError INVALID_INPUT
 */
export function parseTarget(text: string, home: string | null = null): RemoteTarget {
  const { user = null, address, host, port } = targetText.exec(text)?.groups ?? {}
  const name = address ?? host
  const number = port === undefined ? null : Number(port)
  if (name === undefined || number === 0 || (number ?? 0) > 65_535)
    throw new AppError('INVALID_INPUT', 'A control plane is named as user@host or user@host:port, or by its ssh alias.')
  if (home !== null && !homeText.test(home))
    throw new AppError('INVALID_INPUT', 'The home of a remote control plane is an absolute path, or begins with ~/.')
  return { host: name, user, port: number, home }
}

/** As a person wrote it, or could have. */
export function targetWords({ host, user, port }: RemoteTarget): string {
  const name = host.includes(':') ? `[${host}]` : host
  return `${user === null ? '' : `${user}@`}${name}${port === null ? '' : `:${port}`}`
}
