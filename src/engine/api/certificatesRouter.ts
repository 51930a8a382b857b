import type { Clock } from '../../platform/clock.ts'
import type { CertificateFilter } from '../../shared/contract/certificates.ts'
import { AppError } from '../../shared/errors.ts'
import type { CertificateService } from '../fleet/certificateService.ts'
import { resolveNode } from '../fleet/resolve.ts'
import type { StepCaService } from '../fleet/stepCaService.ts'
import type { StorageService } from '../fleet/storageService.ts'
import type { TrustService } from '../fleet/trustService.ts'
import type { CertificateAuthority, CertificateQuery, Store } from '../ports.ts'
import { os } from './procedures.ts'
import { publicKeyOf } from './publicKeyInput.ts'

interface CertificateServices {
  readonly store: Store
  readonly clock: Pick<Clock, 'nowMs'>
  readonly authority: CertificateAuthority
  readonly certificates: CertificateService
  readonly trust: TrustService
}

/** Procedures about authorities, the issue log, renewal and revocation. */
export function certificatesRouter(services: CertificateServices) {
  const { store, clock, authority, certificates } = services
  return {
    ...authoritiesRouter(services),
    list: os.certificates.list.handler(async ({ input }) =>
      store.listCertificates(await queryOf(store, input, clock.nowMs())),
    ),
    calendar: os.certificates.calendar.handler(({ input }) => store.countExpiries(boundedSpan(input))),
    issue: os.certificates.issue.handler(async ({ input, context }) => {
      const key = publicKeyOf(input.publicKey)
      const [issued] = await authority.sign([
        {
          subjectPublicKey: key.blob,
          keyId: key.comment === '' ? `${context.caller.operator} ${input.principals.join(' ')}` : key.comment,
          principals: input.principals,
          purpose: 'external',
          lifetimeSeconds: input.lifetimeSeconds,
          extensions: input.permitPty ? ['permit-pty'] : [],
          criticalOptions: {
            ...(input.forceCommand === undefined ? {} : { 'force-command': input.forceCommand }),
            ...(input.sourceAddress === undefined ? {} : { 'source-address': input.sourceAddress }),
          },
          requestedBy: context.caller.operator,
          reason: input.reason,
        },
      ])
      if (issued === undefined) throw new AppError('INTERNAL', 'The authority signed nothing.')
      return issued
    }),
    renew: os.certificates.renew.handler(async ({ input, context }) =>
      (await certificates.renew(input, context.caller.operator)).map((renewal) => ({ ...renewal })),
    ),
    ...revocationRouter(services),
  }
}

function authoritiesRouter({ trust }: CertificateServices) {
  return {
    authorities: os.certificates.authorities.handler(() => trust.authorities()),
    createAuthorities: os.certificates.createAuthorities.handler(({ input, context }) =>
      trust.createAuthorities(input.kinds, context.caller.operator),
    ),
    exportAuthority: os.certificates.exportAuthority.handler(({ input }) => trust.exportAuthority(input.kind)),
    rotationProgress: os.certificates.rotationProgress.handler(({ input }) => trust.rotationProgress(input.kind)),
    startRotation: os.certificates.startRotation.handler(({ input, context }) =>
      trust.startRotation(input.kind, context.caller.operator),
    ),
    advanceRotation: os.certificates.advanceRotation.handler(({ input, context }) =>
      trust.advanceRotation(input.kind, input.leaveBehind, context.caller.operator),
    ),
    rollBackRotation: os.certificates.rollBackRotation.handler(({ input, context }) =>
      trust.rollBackRotation(input.kind, context.caller.operator),
    ),
  }
}

function revocationRouter({ trust }: CertificateServices) {
  return {
    previewRevocation: os.certificates.previewRevocation.handler(({ input }) => trust.previewRevocation(input.targets)),
    revoke: os.certificates.revoke.handler(({ input, context }) =>
      trust.revoke(input.targets, { reason: input.reason, operator: context.caller.operator }),
    ),
    krl: os.certificates.krl.handler(() => trust.krl()),
    krlFile: os.certificates.krlFile.handler(() => trust.krlFile()),
  }
}

/** Procedures about a step-ca. */
export function stepCaRouter({ stepCa }: { readonly stepCa: StepCaService }) {
  return {
    status: os.stepCa.status.handler(() => stepCa.status()),
    configure: os.stepCa.configure.handler(({ input, context }) =>
      stepCa.configure(input.settings, input.password, context.caller.operator),
    ),
    use: os.stepCa.use.handler(({ input, context }) => stepCa.use(input.issuer, context.caller.operator)),
    remove: os.stepCa.remove.handler(({ context }) => stepCa.remove(context.caller.operator)),
  }
}

/** Procedures that make a node a storage. */
export function storageRouter({ storage }: { readonly storage: StorageService }) {
  return {
    preview: os.storage.preview.handler(({ input }) => storage.preview(input.node, input.settings)),
    apply: os.storage.apply.handler(({ input, context }) =>
      storage.apply(input.node, input.settings, {
        previewDigest: input.previewDigest,
        operator: context.caller.operator,
      }),
    ),
    undo: os.storage.undo.handler(({ input, context }) => storage.undo(input.node, context.caller.operator)),
  }
}

async function queryOf(store: Store, filter: CertificateFilter, nowMs: number): Promise<CertificateQuery> {
  const { node, purposes, endsFrom, endsBefore, before, standing, search, limit } = filter
  return {
    standing,
    search,
    limit,
    nowMs,
    ...(node === undefined ? {} : { nodeId: (await resolveNode(store, node)).id }),
    ...(purposes === undefined ? {} : { purposes }),
    ...(endsFrom === undefined ? {} : { endsFrom }),
    ...(endsBefore === undefined ? {} : { endsBefore }),
    ...(before === undefined ? {} : { before }),
  }
}

const mostSteps = 1_000

function boundedSpan(span: { readonly from: number; readonly to: number; readonly stepMs: number }): typeof span {
  const steps = (span.to - span.from) / span.stepMs
  if (steps > 0 && steps <= mostSteps) return span
  throw new AppError(
    'INVALID_INPUT',
    `to: the calendar shows 1 to ${mostSteps} steps; choose a later end or wider steps.`,
    {
      data: { field: 'to' },
    },
  )
}
