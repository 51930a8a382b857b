import { z } from 'zod'
import { assertNever } from '../../shared/errors.ts'
import type { TraefikCheck } from '../../shared/model/plan.ts'
import { shellRemoteDirectory } from '../transfer/paths.ts'
import { shellQuote } from '../transfer/remoteShell.ts'
import { traefikName } from './routes.ts'

/*
 * How a node is asked whether Traefik runs and what it serves: scripts for `sh`, and what their answers mean. Waiting
 * happens in the script, so that it costs no round trip, and is bounded there.
 */

const pause = 'sleep 0.25 2>/dev/null || sleep 1'

/** How often a Traefik that does not run is looked at: one that is just starting is there within two seconds. */
const looks = 8

/** Exit codes of {@link traefikCheckScript}. */
const checkExit = { running: 0, stopped: 3, noProgram: 4, refused: 5 } as const

/**
 * Ends with 0 when Traefik runs, else with a code and, on standard output, what was found instead (S1.47).
 * Null when the plan asks for no check.
 */
export function traefikCheckScript(check: TraefikCheck): string | null {
  switch (check.kind) {
    case 'container':
      return waiting(containerLook(check.runtime, check.name))
    case 'process':
      return waiting(processLook(check.name))
    case 'pid-file':
      return waiting(pidFileLook(check.file))
    case 'none':
      return null
    default:
      return assertNever(check)
  }
}

/** `look` says in `why` what it found instead. */
const waiting = (look: string): string => `
${look}
n=0
until look; do
  n=$((n + 1))
  if [ $n -ge ${looks} ]; then echo "$why"; exit ${checkExit.stopped}; fi
  ${pause}
done
`

/** A container that is started again and again counts as running for docker, but its status says "restarting". */
const containerLook = (runtime: string, name: string): string => `
command -v ${runtime} >/dev/null 2>&1 || { echo ${runtime}; exit ${checkExit.noProgram}; }
look() {
  if s=$(${runtime} container inspect -f '{{.State.Status}}' ${shellQuote(name)} 2>&1); then
    [ "$s" = running ] && return 0
    why="the container ${name} is $s"
  else
    case $s in
      *"ermission denied"*) echo "$s"; exit ${checkExit.refused};;
    esac
    why="$s"
  fi
  return 1
}`

/**
 * The name the kernel keeps, which has 15 letters at most; as \`pgrep -x\`, without starting a program. A process that
 * has ended and was not waited for is none.
 */
const processLook = (name: string): string => `
look() {
  why=${shellQuote(`no process is called ${name}`)}
  if [ ! -r /proc/self/comm ]; then pgrep -x ${shellQuote(name)} >/dev/null 2>&1; return; fi
  for p in /proc/[0-9]*; do
    read -r c <"$p/comm" && [ "$c" = ${shellQuote(name.slice(0, 15))} ] || continue
    read -r s <"$p/stat" || continue
    case \${s##*) } in [ZX]*) continue;; esac
    return 0
  done 2>/dev/null
  return 1
}`

/** The number alone proves nothing: after a crash it may be anybody's. */
const pidFileLook = (file: string): string => `
look() {
  p= c=
  { read -r p <${shellRemoteDirectory(file)}; } 2>/dev/null
  case $p in
    '') why=${shellQuote(`${file} is not there or empty`)}; return 1;;
    *[!0-9]*) why=${shellQuote(`${file} holds no process id`)}; return 1;;
  esac
  if [ -r /proc/self/comm ]; then { read -r c <"/proc/$p/comm"; read -r s <"/proc/$p/stat"; } 2>/dev/null
  else c=$(ps -o comm= -p "$p" 2>/dev/null) s=; fi
  case \${s##*) } in [ZX]*) c=;; esac
  case $c in
    *[Tt]raefik*) return 0;;
    '') why="process $p has ended";;
    *) why="process $p is $c";;
  esac
  return 1
}`

/** What a node said about Traefik. */
export type TraefikFinding =
  | { readonly kind: 'running' }
  | { readonly kind: 'stopped'; readonly why: string }
  | { readonly kind: 'no-program'; readonly program: string }
  | { readonly kind: 'refused'; readonly why: string }
  /** The script itself did not come to an end. */
  | { readonly kind: 'unknown'; readonly exitCode: number }

/** @param stdout of {@link traefikCheckScript} */
export function readTraefikCheck(exitCode: number, stdout: string): TraefikFinding {
  const said = stdout.trim().split('\n').at(-1) ?? ''
  switch (exitCode) {
    case checkExit.running:
      return { kind: 'running' }
    case checkExit.stopped:
      return { kind: 'stopped', why: said === '' ? 'it was not found' : said }
    case checkExit.noProgram:
      return { kind: 'no-program', program: said }
    case checkExit.refused:
      return { kind: 'refused', why: said }
    default:
      return { kind: 'unknown', exitCode }
  }
}

/** `docker compose restart` where the plan says so (S1.50, S1.107). */
export const composeRestartScript = (directory: string): string => `
cd ${shellRemoteDirectory(directory)} || exit 1
if docker compose version >/dev/null 2>&1; then exec docker compose restart
elif command -v docker-compose >/dev/null 2>&1; then exec docker-compose restart
elif command -v podman-compose >/dev/null 2>&1; then exec podman-compose restart
fi
echo "neither docker compose nor docker-compose nor podman-compose is there" >&2
exit 127
`

/** Traefik names what its file provider gave it with this behind the name. */
const providerSuffix = '@file'

/** More routers than a registry can have: Traefik gives a hundred unless it is asked for more. */
const mostRouters = 100_000

const routersUrl = (api: string): string =>
  `${api.replace(/\/+$/, '')}/api/http/routers?search=lockstep-&per_page=${mostRouters}`

const noFetcher = 6

const fetching = (api: string): string => `
if command -v curl >/dev/null 2>&1; then fetch() { curl -fsS -m 3 ${shellQuote(routersUrl(api))}; }
elif command -v wget >/dev/null 2>&1; then fetch() { wget -q -T 3 -O - ${shellQuote(routersUrl(api))}; }
else echo "neither curl nor wget is there" >&2; exit ${noFetcher}
fi`

/** How often Traefik is asked whether it has taken a change; it looks for changes itself every two seconds at most. */
const askings = 24

/**
 * Waits until Traefik lists what standard input names, one name a line, sorted by bytes, and nothing else of ours; for
 * some seconds at most. Says nothing: {@link traefikListScript} does.
 */
export const traefikWaitScript = (api: string): string => `${fetching(api)}
LC_ALL=C
export LC_ALL
want=$(cat)
n=0
while [ $n -lt ${askings} ]; do
  got=$(fetch 2>/dev/null | tr ',{' '\\n\\n' | sed -n 's/^"name":"\\(lockstep-[^"]*${providerSuffix}\\)".*/\\1/p' | sort)
  [ "$got" = "$want" ] && exit 0
  n=$((n + 1))
  sleep 0.25 2>/dev/null || { sleep 1; n=$((n + 3)); }
done
exit 0
`

/** What Traefik says of its routers, as it says it. */
export const traefikListScript = (api: string): string => `${fetching(api)}
fetch
`

/** Standard input of {@link traefikWaitScript}. */
export function routerNames(services: readonly { readonly name: string; readonly public: boolean }[]): string[] {
  return services
    .filter((service) => service.public)
    .map((service) => `${traefikName(service.name)}${providerSuffix}`)
    .sort()
}

const Router = z.object({
  name: z.string(),
  status: z.string().optional(),
  /** Entry points it listens at. */
  using: z.array(z.string()).optional(),
  error: z.array(z.string()).optional(),
})

export type RoutersFinding =
  | { readonly kind: 'listed'; readonly routers: number; readonly warnings: readonly string[] }
  /** `what` completes "Traefik has not taken the routes: …". */
  | { readonly kind: 'not-listed'; readonly what: string; readonly evidence: readonly string[] }
  | { readonly kind: 'no-fetcher' }

interface RoutersAnswer {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Compares what {@link traefikListScript} brought with the routers that should be there. */
export function readRouters(answer: RoutersAnswer, wanted: readonly string[]): RoutersFinding {
  if (answer.exitCode === noFetcher) return { kind: 'no-fetcher' }
  const complaint = answer.stderr.split('\n').filter((line) => line.trim() !== '')
  if (answer.exitCode !== 0) return { kind: 'not-listed', what: 'its API does not answer', evidence: complaint }
  const parsed = z.array(Router).safeParse(jsonOf(answer.stdout))
  if (!parsed.success)
    return {
      kind: 'not-listed',
      what: 'its API answers with no list of routers',
      evidence: [answer.stdout.slice(0, 200)],
    }
  const ours = new Map(
    parsed.data
      .filter(({ name }) => name.startsWith(traefikName('')) && name.endsWith(providerSuffix))
      .map((router) => [router.name, router]),
  )
  const missing = wanted.filter((name) => !ours.has(name))
  if (missing.length > 0) return notListed(`${missing.length} of ${wanted.length} routers are missing`, missing)
  const known = new Set(wanted)
  const surplus = [...ours.keys()].filter((name) => !known.has(name))
  if (surplus.length > 0) return notListed(`${surplus.length} routers that were removed are still served`, surplus)
  return (
    brokenAmong([...ours.values()]) ?? { kind: 'listed', routers: ours.size, warnings: warningsOf([...ours.values()]) }
  )
}

const notListed = (what: string, evidence: readonly string[]): RoutersFinding => ({
  kind: 'not-listed',
  what,
  evidence,
})

/** Listed, but serving nobody. */
function brokenAmong(routers: readonly z.infer<typeof Router>[]): RoutersFinding | null {
  const broken = routers.filter(({ status, using }) => status === 'disabled' || using?.length === 0)
  if (broken.length === 0) return null
  return notListed(`${broken.length} routers are switched off by an error`, broken.map(wordsOf))
}

const warningsOf = (routers: readonly z.infer<typeof Router>[]): string[] =>
  routers.filter(({ status }) => status === 'warning').map(wordsOf)

const wordsOf = ({ name, error }: z.infer<typeof Router>): string =>
  `${name}: ${error?.join('; ') ?? 'Traefik gave no reason'}`

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
