import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { ControlPlane } from '../shared/controlPlane.ts'

const kept = 8
const Recent = z.array(ControlPlane).max(kept)

/** The control planes that were connected to from this machine, newest first. Names only; keys are ssh's. */
export interface RecentControlPlanes {
  list(): readonly ControlPlane[]
  add(controlPlane: ControlPlane): void
}

/** @param file what cannot be read or written is as good as none: it is a convenience */
export function recentControlPlanes(file: string): RecentControlPlanes {
  const list = (): readonly ControlPlane[] => {
    try {
      return Recent.parse(JSON.parse(readFileSync(file, 'utf8')))
    } catch {
      return []
    }
  }
  return {
    list,
    add: (added) => {
      const others = list().filter(({ name, home }) => name !== added.name || home !== added.home)
      try {
        mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
        writeFileSync(`${file}.new`, JSON.stringify([added, ...others].slice(0, kept)), { mode: 0o600 })
        renameSync(`${file}.new`, file)
      } catch {
        // It is asked for again next time.
      }
    },
  }
}
