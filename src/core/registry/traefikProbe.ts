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
 * The name the kernel keeps, which has 15 letters at most; as `pgrep -x`, without starting a program. A process that
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

/** Of a line of a node that goes into a sentence, or is kept with the run. */
const longestSaid = 300

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
  const said = (stdout.trim().split('\n').at(-1) ?? '').slice(0, longestSaid)
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
  `${api.replace(/\/+$/, '')}/api/http/routers?search=${traefikName('')}&per_page=${mostRouters}`

/** Exit codes of {@link traefikListScript}. */
const listExit = { answered: 0, noFetcher: 6, noAnswer: 7 } as const

/** How often Traefik is asked whether it has taken a change: some seconds; it looks for changes every two at most. */
const askings = 24

/** How many routers that should be there, or should not, are named. */
const mostNamed = 20

/**
 * Asks Traefik's API which of our routers it has, and compares them on the node with what standard input names, one a
 * line: of thousands of routers only what differs travels. In an answer of Traefik the status of a router stands before
 * its name, and the list is one line of JSON without spaces.
 *
 * @param waits true: asks again, for some seconds at most, until nothing differs
 */
export const traefikListScript = (api: string, { waits }: { readonly waits: boolean }): string => `
if command -v curl >/dev/null 2>&1; then fetch() { curl -fsS -m 3 ${shellQuote(routersUrl(api))}; }
elif command -v wget >/dev/null 2>&1; then fetch() { wget -q -T 3 -O - ${shellQuote(routersUrl(api))}; }
else exit ${listExit.noFetcher}
fi
want=$(cat)
n=0
while :; do
  if json=$(fetch 2>&1); then
    code=${listExit.answered}
    out=$({ printf '%s\\n--\\n' "$want"; printf '%s\\n' "$json" | tr ',{' '\\n\\n'; } | awk -F '"' '
      function tell(kind, name) { if (++count[kind] <= ${mostNamed}) lines = lines kind " " name "\\n" }
      !body { if ($0 == "--") body = 1; else if ($0 != "") want[$0] = 1; next }
      /^"status":/ { status = $4 }
      /^"error":/ { error = ": " $4 }
      /^"name":/ {
        if ($4 ~ /^lockstep-.*${providerSuffix}$/) {
          listed++
          if (!($4 in want)) tell("surplus", $4)
          else if (status == "disabled" || status == "warning") tell(status, $4 error)
          delete want[$4]
        }
        status = error = ""
      }
      END {
        for (name in want) tell("missing", name)
        printf "listed %d missing %d surplus %d disabled %d warning %d\\n%s", listed, count["missing"], count["surplus"], count["disabled"], count["warning"], lines
      }')
    case $json in
      '['*']') case $out in *" missing 0 surplus 0 "*) break;; esac;;
      *) code=${listExit.noAnswer} out="it answers with no list";;
    esac
  else
    code=${listExit.noAnswer} out=$json
  fi
  n=$((n + 1))
  [ $n -lt ${waits ? askings : 1} ] || break
  sleep 0.25 2>/dev/null || { sleep 1; n=$((n + 3)); }
done
printf '%s\\n' "$out"
exit $code
`

/** Standard input of {@link traefikListScript}. */
export function routerNames(services: readonly { readonly name: string; readonly public: boolean }[]): string[] {
  return services.filter((service) => service.public).map(({ name }) => `${traefikName(name)}${providerSuffix}`)
}

/** More than the script says: a heading, and some names of four kinds. */
const mostTold = 1 + 4 * mostNamed

/** What a node said about the routers of ours that its Traefik has. */
export type RoutersFinding =
  | { readonly kind: 'listed'; readonly routers: number; readonly warnings: readonly string[] }
  /** `what` completes "Traefik has not taken the routes: …". */
  | { readonly kind: 'not-listed'; readonly what: string; readonly evidence: readonly string[] }
  | { readonly kind: 'no-fetcher' }

/** @param stdout of {@link traefikListScript} */
export function readRouters(exitCode: number, stdout: string): RoutersFinding {
  const told = stdout.split('\n').filter((line) => line.trim() !== '')
  const [head = '', ...lines] = told.slice(0, mostTold).map((line) => line.slice(0, longestSaid))
  if (exitCode === listExit.noFetcher) return { kind: 'no-fetcher' }
  const counts = /^listed (\d+) missing (\d+) surplus (\d+) disabled (\d+) warning (\d+)$/
    .exec(head)
    ?.slice(1)
    .map(Number)
  if (exitCode !== listExit.answered || counts === undefined)
    return { kind: 'not-listed', what: 'its API does not answer as it should', evidence: [head, ...lines] }
  const [listed = 0, missing = 0, surplus = 0, disabled = 0] = counts
  const flaws = [
    missing === 0 ? [] : [`${missing} routers are missing`],
    surplus === 0 ? [] : [`${surplus} that were removed are still served`],
    disabled === 0 ? [] : [`${disabled} are switched off by an error`],
  ].flat()
  if (flaws.length > 0) return { kind: 'not-listed', what: flaws.join(', '), evidence: lines }
  return { kind: 'listed', routers: listed, warnings: lines.filter((line) => line.startsWith('warning ')) }
}
