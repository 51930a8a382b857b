import { chmod, mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { writeFileAtomic } from '../../platform/atomicFile.ts'
import type { Clock } from '../../platform/clock.ts'
import { explainFileError } from '../../platform/fileErrors.ts'
import { agentApiPaths, EnrollResponse, RootsResponse } from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'
import { ensureClientKey, makeCertificateRequest } from '../control/certificateRequest.ts'
import { checkClientCertificate, EnrollmentFile, rootFingerprint, splitPem, writeRoots } from '../control/enrollment.ts'
import { callControlPlane } from '../control/request.ts'
import type { AgentLayout } from '../layout.ts'
import { agentVersion } from '../version.ts'
import { type JoinSecret, readJoinSecret } from './joinSecret.ts'
import { ensureSshKey } from './sshKey.ts'

const timeoutMs = 20_000

/**
 * Makes this machine an agent of a control plane: keys made here, the root compared with the pin in the join token
 * before anything is sent, a client certificate for our key. May be repeated; `agent.json` is written last.
 *
 * @throws AppError INVALID_INPUT, AUTHORITY_ROOT_MISMATCH, JOIN_TOKEN_REFUSED, GATEWAY_UNREACHABLE, HOME_NOT_WRITABLE
 */
export async function enroll(layout: AgentLayout, word: string, clock: Clock): Promise<EnrollmentFile> {
  const secret = readJoinSecret(word)
  await makeDirectories(layout)
  const [sshPublicKey, clientKey] = [await ensureSshKey(layout), await ensureClientKey(layout.clientKey)]
  const root = await fetchPinnedRoot(secret)
  const certificateRequest = await makeCertificateRequest(clientKey, hostname())
  const answer = await redeem(secret, root, { certificateRequest, sshPublicKey })
  checkClientCertificate(answer.clientCertificate, clientKey.publicKey)
  await writeFileAtomic(layout.clientCertificate, answer.clientCertificate, { mode: 0o644 })
  await writeRoots(layout, answer.roots)
  const file = EnrollmentFile.parse({
    url: secret.url,
    agentId: answer.agentId,
    nodeId: answer.nodeId,
    nodeName: answer.nodeName,
    enrolledAt: new Date(clock.nowMs()).toISOString(),
  })
  await writeFileAtomic(layout.enrollment, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o644 })
  return file
}

async function makeDirectories(layout: AgentLayout): Promise<void> {
  for (const path of [layout.key, layout.clientKey, `${layout.logs}/.`].map((file) => dirname(file))) {
    try {
      await mkdir(path, { recursive: true, mode: 0o700 })
      await chmod(path, 0o700)
    } catch (error) {
      throw explainFileError(error, path)
    }
  }
}

/** Whoever answers may send what it likes: only the root whose hash is the pin is kept. */
async function fetchPinnedRoot({ url, rootFingerprint: pin }: JoinSecret): Promise<string> {
  const anybody = { roots: null, client: null }
  const { content } = await callControlPlane(url, anybody, { method: 'GET', path: agentApiPaths.roots, timeoutMs })
  const offered = RootsResponse.safeParse(content)
  const roots = offered.success ? offered.data.roots.slice(0, 16).flatMap(splitPem) : []
  const pinned = roots.find((root) => fingerprintOrNothing(root) === pin)
  if (pinned !== undefined) return pinned
  throw new AppError(
    'AUTHORITY_ROOT_MISMATCH',
    `What answers at ${url} has another root than the join token names. Nothing was sent. Make a new join token, or look who answers there.`,
  )
}

function fingerprintOrNothing(pem: string): string {
  try {
    return rootFingerprint(pem)
  } catch {
    return ''
  }
}

async function redeem(
  { url, token }: JoinSecret,
  root: string,
  keys: { readonly certificateRequest: string; readonly sshPublicKey: string },
): Promise<EnrollResponse> {
  const body = { token, hostname: hostname(), platform: `${process.platform} ${process.arch}`, version: agentVersion }
  const call = { method: 'POST', path: agentApiPaths.enroll, body: { ...body, ...keys }, timeoutMs } as const
  const { content } = await callControlPlane(url, { roots: [root], client: null }, call).catch((error: unknown) => {
    throw explainRefusal(error)
  })
  const answer = EnrollResponse.safeParse(content)
  if (answer.success) return answer.data
  throw new AppError('AGENT_VERSION_UNSUPPORTED', `${url} answered in a form this agent does not know: upgrade it.`)
}

function explainRefusal(thrown: unknown): unknown {
  const refusedCodes = ['UNAUTHORIZED', 'FORBIDDEN', 'JOIN_TOKEN_REFUSED']
  if (!(thrown instanceof AppError) || !refusedCodes.includes(thrown.code)) return thrown
  return new AppError(
    'JOIN_TOKEN_REFUSED',
    'The join token was refused: it was used already, has expired, or was taken back. Make a new one in the console.',
  )
}
