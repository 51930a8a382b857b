import { randomBytes } from 'node:crypto'
import type { RemoteTarget } from './target.ts'

/** What the far shell found before it began to wait. */
export interface Discovery {
  /** Absolute path of a socket that is there; null: none in any of the places. */
  readonly socket: string | null
  /** The system there knows a listener under this path. Where it cannot be asked: false. */
  readonly listening: boolean
}

export interface DiscoveryScript {
  /** For `sh` on its standard input, whatever the login shell is. It then waits until that input ends. */
  readonly script: string
  /** @returns null while the answer is not complete; what a login shell prints around it is passed over */
  read(stdout: string): Discovery | null
}

const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** The usual places, the one of the environment first; then that of the systemd unit. */
const usualHomes = [
  '"$LOCKSTEP_HOME"',
  '"$XDG_DATA_HOME/lockstep"',
  '"$HOME/Library/Application Support/lockstep"',
  '/var/lib/lockstep',
]

function placesOf({ home }: RemoteTarget): string {
  if (home === null) return usualHomes.join(' ')
  return home.startsWith('~') ? `"$HOME"${shellQuoted(home.slice(1))}` : shellQuoted(home)
}

export function discoveryScript(target: RemoteTarget): DiscoveryScript {
  // Nothing that a profile or a banner prints can pass for the answer.
  const mark = `lockstep-${randomBytes(12).toString('hex')}`
  const script = [
    '[ -n "$XDG_DATA_HOME" ] || XDG_DATA_HOME=$HOME/.local/share',
    `for place in ${placesOf(target)}; do`,
    '  [ -n "$place" ] || continue',
    '  if [ -S "$place/run/engine.sock" ]; then',
    `    printf '\\n%s socket %s\\n' ${mark} "$place/run/engine.sock"`,
    // Only to tell a daemon that is gone from an sshd that lets nobody through: sshd says the same of both.
    `    grep -Fqs " $place/run/engine.sock" /proc/net/unix && printf '\\n%s listening\\n' ${mark}`,
    '    break',
    '  fi',
    'done',
    `printf '\\n%s end\\n' ${mark}`,
    // Ends with us: our end of this input closes however we end.
    'exec cat >/dev/null',
    '',
  ].join('\n')
  return {
    script,
    read: (stdout) => {
      const lines = stdout.split(/\r?\n/)
      if (!lines.includes(`${mark} end`)) return null
      const found = lines.find((line) => line.startsWith(`${mark} socket `))
      return { socket: found?.slice(`${mark} socket `.length) ?? null, listening: lines.includes(`${mark} listening`) }
    },
  }
}
