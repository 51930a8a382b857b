import type { PlanId } from '../../shared/model/ids.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { FakeLink } from '../api/links/fake.ts'
import { fakeIssueLog } from '../api/links/fakeCertificates.ts'
import { fakeDigest, fakeId } from '../api/links/fakeFleet.ts'
import { brokenStepCa } from '../api/links/fakeTrust.ts'

const hourMs = 3_600_000

const krlPlan = (nowMs: number): Plan => ({
  id: fakeId<PlanId>(2, 40),
  name: 'revocation list',
  kind: 'krl',
  selector: 'not kind:laptop',
  spec: { file: '/etc/ssh/lockstep.krl' },
  revision: 3,
  digest: fakeDigest(40),
  createdAt: nowMs,
  updatedAt: nowMs,
})

/** A fleet whose trust is in motion, to look at every state at once. */
function inMotion(link: FakeLink): void {
  const { engine, trust } = link
  const now = engine.now()
  trust.create(['ssh-host', 'x509'])
  trust.startRotation('ssh-user')
  trust.waiting = [...engine.nodes.values()]
    .filter((_, index) => index % 45 === 3)
    .map(({ name, reachability }) => ({
      name,
      why: reachability.status === 'unreachable' ? 'no answer on port 22' : 'its run has not read the file back yet',
    }))
  engine.savePlan(krlPlan(now))
  trust.saveKrl(7)
  for (const [index, node] of [...engine.nodes.values()].entries()) {
    const hasPlan = node.plans.some(({ planId }) => planId === krlPlan(now).id)
    const krl =
      index % 31 === 4 ? { version: 6, verifiedAt: now - 9 * hourMs } : { version: 7, verifiedAt: now - hourMs }
    engine.saveNode({
      ...node,
      plans: node.plans.map((plan) =>
        plan.planId === krlPlan(now).id
          ? {
              ...plan,
              observed: { revision: 3, digest: fakeDigest(40), verifiedAt: now - hourMs, runId: fakeId(3, 1) },
            }
          : plan,
      ),
      krl: hasPlan && index % 57 !== 9 ? krl : null,
      hostCertificate:
        index % 3 === 0
          ? null
          : {
              serial: String(300 + index),
              authorityFingerprint: trust.authority('ssh-host').fingerprint,
              validAfter: now - 200 * hourMs,
              validBefore: now + (index % 20) * 24 * hourMs + 7 * hourMs,
              verifiedAt: now - 3 * hourMs,
            },
    })
  }
  trust.stepCa = brokenStepCa(
    { url: 'https://ca.internal:9000', rootFingerprint: fakeDigest(9), provisioner: 'sync-provisioner' },
    now,
  )
}

/** @param scenario `full` for a fleet in motion, anything else for an engine that was just set up */
export function seedTrust(link: FakeLink, scenario: string | null, issued: number): void {
  const { engine } = link
  if (engine.nodes.size > 0)
    for (const certificate of fakeIssueLog(issued, [...engine.nodes.values()], engine.now()))
      engine.certificates.set(certificate.id, certificate)
  if (scenario === 'full') inMotion(link)
}
