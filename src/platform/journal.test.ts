import { fstatSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AppError } from '../shared/errors.ts'
import { isStderrJournal, journalLine } from './journal.ts'
import { createLogging } from './logger.ts'

function logged() {
  const lines: string[] = []
  const logging = createLogging({ level: 'debug', sinks: [(line) => lines.push(journalLine(line))] })
  return { ...logging, lines }
}

describe('lines for the journal', () => {
  it('S1.98 S1.99 S1.100 S1.101 carry the mark of their level and the priority that journald reads', () => {
    const { logger, lines } = logged()
    logger.info({ runs: 3 }, 'reconcile cycle')
    logger.info({ success: true, node: 'edge-1' }, 'edge-1 is in step')
    logger.warn({ node: 'laptop one' }, 'does not answer')
    logger.error({ err: new AppError('TIMED_OUT', 'too slow') }, 'the run failed')
    expect(lines).toEqual([
      '<6>[INFO] reconcile cycle runs=3\n',
      '<6>[✓] edge-1 is in step node=edge-1\n',
      '<4>[⚠] does not answer node="laptop one"\n',
      '<3>[✗] the run failed - too slow (TIMED_OUT)\n',
    ])
  })

  it('S1.96 S1.97 stay one line each, whatever a node has printed, and pretend no other priority', () => {
    const { logger, lines } = logged()
    logger.warn({ stderr: 'a\n<0>[✗] forged\u2028\u001b[31m' }, 'first\nsecond\r\u2029')
    expect(lines[0]?.trimEnd().split(/[\n\r\u2028\u2029]/)).toHaveLength(1)
    expect(lines[0]).toMatch(/^<4>\[⚠\] first\\u\{a\}second/)
    expect(lines[0]).not.toContain('\u001b')
  })

  it('show no registered secret', () => {
    const { logger, lines, registerSecret } = logged()
    registerSecret('canary-passphrase')
    logger.error({ err: new Error('with canary-passphrase'), tried: 'canary-passphrase' }, 'canary-passphrase')
    expect(lines.join('')).not.toContain('canary')
  })

  it('are the rule only where standard error is the journal that systemd named', () => {
    const { dev, ino } = fstatSync(process.stderr.fd)
    expect(isStderrJournal({ JOURNAL_STREAM: `${dev}:${ino}` })).toBe(true)
    expect(isStderrJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` })).toBe(false)
    expect(isStderrJournal({})).toBe(false)
  })
})
