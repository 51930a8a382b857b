import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { skipReasons } from '../../../../src/core/scan/skipped.ts'
import type { Finding } from '../../../../src/shared/model/repository.ts'
import { createRepositoryRig, type RepositoryRig, sentinelOf } from '../../../support/repositoryRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'

const canary = 'AKIACANARYCANARY1234'
const finding = (index: number, allowed = false): Finding => ({
  hash: String(index).padStart(64, '0') as Finding['hash'],
  rule: 'aws-access-key',
  file: `config/secret-${index}.env`,
  line: index + 1,
  message: 'looks like an access key',
  allowed,
})

describe.skipIf(sshdMissing !== null)(
  `secrets stop a delivery${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RepositoryRig
    let target: string
    let plan: string

    beforeAll(async () => {
      rig = await createRepositoryRig()
      target = join(rig.rig.remote, 'tree')
      plan = await rig.plan(target)
      await rig.repository.commit({ a: '1', 'config/secret-0.env': canary })
    })
    afterAll(() => rig.dispose())

    it('S2.17 S2.33 findings that nobody allowed halt the run before anything is sent, force or not', async () => {
      const findings = Array.from({ length: 25 }, (_, index) => finding(index, index === 3))
      rig.repository.scan = { status: 'blocked', findings, findingsTotal: 30 }
      for (const options of [{}, { force: true } as const]) {
        const run = await rig.run(plan, options)
        expect(run).toMatchObject({
          status: 'halted',
          halt: { reason: 'secrets-found', diagnosis: { code: 'SECRETS_FOUND', short: 'secrets found' } },
        })
        const { diagnosis } = run.halt ?? {}
        expect(diagnosis?.sentence).toContain('29 places')
        expect(diagnosis?.evidence[0]).toBe('aws-access-key in config/secret-0.env, line 1')
        expect(diagnosis?.evidence).not.toContain('aws-access-key in config/secret-3.env, line 4')
        expect(diagnosis?.evidence.at(-1)).toBe('and 9 more')
        expect(run.visits.map(({ state }) => state)).not.toContain('PUSH_SYNC')
        expect(`${JSON.stringify(run)}${await rig.rig.log(run.id)}`).not.toContain(canary)
      }
      expect(await readdir(rig.rig.remote)).not.toContain('tree')
      expect(rig.repository.held()).toBe(0)
    })

    it('S2.26 an approval looks again, and goes on only when every finding is allowed', async () => {
      rig.repository.scan = { status: 'blocked', findings: [finding(0)], findingsTotal: 1 }
      const halted = await rig.run(plan)
      const asked = rig.repository.prepared()
      await rig.service.approve(halted.id, 'secrets-found', 'tester')
      const again = await rig.rig.until(
        halted.id,
        ({ status, attempts }) => status === 'halted' && attempts.length === 2,
      )
      expect(again.halt?.diagnosis.sentence).toContain('1 place that looks')
      expect(rig.repository.prepared()).toBe(asked + 1)
      rig.repository.scan = { status: 'clean', findings: [finding(0, true)], findingsTotal: 1 }
      await rig.service.approve(halted.id, 'secrets-found', 'tester')
      expect(await rig.rig.until(halted.id, ({ status }) => status === 'succeeded')).toMatchObject({ failure: null })
      expect(await sentinelOf(target)).toBe(`${rig.repository.head}\n`)
    })

    it('S2.17 a scan that failed, or that is of another commit, stops the run', async () => {
      for (const scan of [
        { status: 'failed' as const },
        { status: 'clean' as const, commit: rig.repository.head.replace(/./, 'f').replace(/.$/, '0') as never },
      ]) {
        rig.repository.scan = scan
        const run = await rig.run(plan)
        expect(run).toMatchObject({ status: 'failed', tries: 1, failure: { code: 'SCAN_FAILED' } })
        expect(rig.repository.held()).toBe(0)
      }
    })

    it('S2.26 files that nobody could search are sent, and the run says how many and which', async () => {
      const tooLarge = ['disk.img', 'other.img'].map((file) => ({ file, reason: skipReasons.tooLarge }))
      const other = { file: 'photo.png', reason: skipReasons.binary }
      rig.repository.scan = { status: 'clean', skipped: [...tooLarge, other] }
      const run = await rig.run(plan)
      expect(run).toMatchObject({ status: 'succeeded', warnings: [{ code: 'SCAN_INCOMPLETE' }] })
      expect(run.warnings[0]?.message).toContain('2 files not searched (the first: disk.img, larger than 200 MiB)')
      expect(run.warnings[0]?.evidence).toEqual(['disk.img', 'other.img'])
      rig.repository.scan = { status: 'clean', skipped: [other] }
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded', warnings: [] })
    })

    it('S2.26 where findings do not block, the run says what was sent all the same', async () => {
      rig.repository.scan = { status: 'findings', findings: [finding(0)], findingsTotal: 1 }
      const run = await rig.run(plan)
      expect(run).toMatchObject({ status: 'succeeded', warnings: [{ code: 'SECRETS_FOUND' }] })
      expect(run.warnings[0]?.message).toContain('and was sent all the same')
      rig.repository.scan = { status: 'off' }
      expect(await rig.run(plan)).toMatchObject({ status: 'succeeded', warnings: [] })
    })
  },
)
