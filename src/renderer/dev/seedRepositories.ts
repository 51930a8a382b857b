import type { PlanId } from '../../shared/model/ids.ts'
import { type PlanOf, RepositorySpec } from '../../shared/model/plan.ts'
import { RepositoryInput } from '../../shared/model/repository.ts'
import type { FakeLink } from '../api/links/fake.ts'
import { fakeDiagnosis, fakeDigest, fakeId } from '../api/links/fakeFleet.ts'

const subjects = [
  'Detections: name the host in every alert',
  'Rotate the log index once a week',
  'Health check answers before the database does',
  'Fix the time zone of scheduled hunts',
  'Playbook for lateral movement over SMB',
  'Move thresholds into one file',
  'Collector retries with a pause that grows',
  'Docs: how a hunt is written',
  'Drop the handler that nobody calls',
  'Tests for the parser of process trees',
]
const authors = ['Ana Ribeiro', 'Bo Lindqvist', 'Chidi Okafor', 'Dana Kim']

function planOf(number: number, name: string, spec: Record<string, unknown>, selector: string): PlanOf<'repository'> {
  return {
    id: fakeId<PlanId>(2, 700 + number),
    name,
    kind: 'repository',
    selector,
    spec: RepositorySpec.parse(spec),
    revision: 60,
    digest: fakeDigest(60),
    createdAt: 0,
    updatedAt: 0,
  }
}

/** Repositories that fare differently; the first one with findings, the second rewritten, the third fine, the others new. */
export function seedRepositories({ engine, repositories }: FakeLink, count: number): void {
  const names = [
    'th_timmy',
    'edge-site',
    'playbooks',
    ...Array.from({ length: Math.max(0, count - 3) }, (_, index) => `team-${index + 4}`),
  ]
  for (const [index, name] of names.slice(0, count).entries()) {
    const { id } = repositories.add(
      RepositoryInput.parse({
        name,
        remote: `https://git.example.com/soc/${name}.git`,
        login: index === 2 ? { kind: 'token' } : { kind: 'none' },
        checkout: index === 0 ? { kind: 'here', directory: '/home/ops/th_timmy' } : { kind: 'none' },
        pollIntervalSeconds: 60,
      }),
      index === 2 ? 'a token' : undefined,
    )
    const commits = 60 + index
    for (let each = commits; each > 0; each -= 1)
      repositories.commit(
        id,
        subjects[(each + index) % subjects.length] as string,
        authors[(each * 7 + index) % authors.length],
        engine.now() - each * 5_400_000,
      )
    // Many repositories are for measuring: then each of them goes to every node.
    const isMany = count > 10
    if (index > 3 && !isMany) continue
    repositories.fetch(id)
    const strategy = index === 1 ? { kind: 'release', keep: 5 } : { kind: 'in-place' }
    const selector = isMany ? '*' : index === 0 ? 'kind:vm or kind:worker' : index === 1 ? 'kind:vps' : 'kind:vm'
    const plan = planOf(index, `${name} tree`, { repository: name, strategy }, selector)
    engine.savePlan(plan)
    repositories.seedDelivered(plan.id, (node) => (node % 9 === 4 ? null : node % 5 === 2 ? 3 : 0))
  }
  const [first, second, third] = [...repositories.repositories.values()]
  if (first === undefined) return
  repositories.remoteOf(first.id).findings = [
    { rule: 'aws-access-key', file: 'deploy/prod.env', line: 14, message: 'looks like an access key of AWS' },
    { rule: 'private-key', file: 'tests/fixtures/ca/server.key', line: 1, message: 'looks like a private key' },
    { rule: 'generic-password', file: 'docs/examples/config.yml', line: 88, message: 'looks like a password in a URL' },
  ]
  const report = repositories.scan(first)
  const fixture = report.findings[1]
  if (fixture !== undefined)
    repositories.allow(first, fixture.hash, {
      reason: 'A key made for the tests of the parser; it opens nothing.',
      expiresAt: engine.now() + 80 * 86_400_000,
    })
  repositories.save({
    ...first,
    state: {
      ...first.state,
      warnings: ['3 files in /home/ops/th_timmy are changed and not committed. They are not delivered.'],
    },
  })
  if (second !== undefined)
    repositories.save({
      ...second,
      state: {
        ...second.state,
        diagnosis: fakeDiagnosis(
          'REPOSITORY_DIVERGED',
          'The branch main of edge-site was rewritten: the commit that was fetched last is not part of it any more. Fetch with force to take the new history.',
          'history was rewritten',
          ['was   9f1c2ab47d', 'now   02d4c91e77', 'fatal: Not possible to fast-forward, aborting.'],
          ['none', 'Take the new history'],
        ),
      },
    })
  if (third !== undefined) repositories.scan(third)
}
