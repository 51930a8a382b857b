/** A command line that any login shell hands to `sh` unchanged, and what to feed it. */
export interface RemoteScript<Input = Uint8Array> {
  readonly command: string
  readonly stdin: Input
}

/** One word of POSIX `sh`, whatever the text holds except NUL. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** The same for a command that a person reads and copies: plain words stay as they are, so does a `~/` in front. */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@+:,./][A-Za-z0-9_@%+=:,./-]*$/.test(text)) return text
  if (!text.startsWith('~/')) return shellQuote(text)
  return text.length === 2 ? text : `~/${shellWord(text.slice(2))}`
}

/**
 * Runs `script` in `sh` on a node, with `data` as its standard input. The script travels on standard input in front
 * of the data: the command line holds nothing that bash, fish, csh or a forced shell could read differently, and no
 * path of ours shows in the process list.
 *
 * @param following the data, or that somebody else sends it after `stdin`
 */
export function remoteScript(
  script: string,
  following: Uint8Array | { readonly followed: true } = new Uint8Array(),
): RemoteScript {
  const body = new TextEncoder().encode(script)
  if ('followed' in following) return { command: evalFirst(body.length), stdin: body }
  const data = following
  // Nothing follows that must not be read along.
  if (data.length === 0) return { command: `sh -c 'eval "$(cat)"'`, stdin: body }
  const stdin = new Uint8Array(body.length + data.length)
  stdin.set(body)
  stdin.set(data, body.length)
  return { command: evalFirst(body.length), stdin }
}

/** The same with data that comes piece by piece, and anew for each try. */
export function streamedScript(
  script: string,
  data: () => AsyncIterable<Uint8Array>,
): RemoteScript<() => AsyncIterable<Uint8Array>> {
  const body = new TextEncoder().encode(script)
  return {
    command: evalFirst(body.length),
    stdin: async function* () {
      yield body
      yield* data()
    },
  }
}

/** Reads so many bytes and not one more. A `dd` that cannot wait for a full block reads byte by byte, which is slow. */
const evalFirst = (sizeBytes: number): string =>
  `sh -c 'eval "$(dd bs=${sizeBytes} count=1 iflag=fullblock 2>/dev/null || dd bs=1 count=${sizeBytes} 2>/dev/null)"'`
