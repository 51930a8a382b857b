/** A command line that any login shell hands to `sh` unchanged, and what to feed it. */
export interface RemoteScript {
  readonly command: string
  readonly stdin: Uint8Array
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
 */
export function remoteScript(script: string, data: Uint8Array = new Uint8Array()): RemoteScript {
  const body = new TextEncoder().encode(script)
  const stdin = new Uint8Array(body.length + data.length)
  stdin.set(body)
  stdin.set(data, body.length)
  return { command: `sh -c 'eval "$(dd bs=1 count=${body.length} 2>/dev/null)"'`, stdin }
}
