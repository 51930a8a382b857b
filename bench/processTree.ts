import { readdirSync, readFileSync } from 'node:fs'

/** Of the kernel's clock: ticks of 10 ms on every Linux there is. */
const tickMs = 10

/**
 * CPU that this process and everything below it has used so far, ended children of theirs included: on one machine that
 * is what both sides of a connection cost. 0 where there is no /proc.
 */
export function cpuMsOfAll(): number {
  const processes = new Map<number, { readonly parent: number; readonly ticks: number }>()
  for (const name of names()) {
    const stat = readStat(name)
    if (stat !== null) processes.set(Number(name), stat)
  }
  const isOurs = (pid: number): boolean => {
    for (let at = pid; at > 1; at = processes.get(at)?.parent ?? 0) if (at === process.pid) return true
    return false
  }
  let ticks = 0
  for (const [pid, each] of processes) if (isOurs(pid)) ticks += each.ticks
  return ticks * tickMs
}

function names(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

function readStat(name: string): { readonly parent: number; readonly ticks: number } | null {
  try {
    const text = readFileSync(`/proc/${name}/stat`, 'latin1')
    // Behind the name of the program, which may hold anything.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const [parent = 0] = fields.slice(1)
    return { parent, ticks: fields.slice(11, 15).reduce((sum, value) => sum + value, 0) }
  } catch {
    return null
  }
}
