import { shellWord } from '../transfer/remoteShell.ts'

/** What a caller keeps the secret in: a file that only it may read. */
export const webhookSecretFile = 'webhook.secret'

/**
 * How whoever knows the secret says that something has changed: lines for `sh`, to be copied. The secret is read from a file
 * and is in no argument of any program, where everybody on that machine could see it: `openssl dgst -hmac` takes it in no
 * other way.
 */
export function webhookExample(url: string): string {
  const sign =
    'import hashlib, hmac, sys; print(hmac.new(open(sys.argv[1], "rb").read().strip(), sys.stdin.buffer.read(), hashlib.sha256).hexdigest())'
  return [
    `body='{"changed":true}'`,
    `signature=$(printf %s "$body" | python3 -c '${sign}' ${webhookSecretFile})`,
    `curl -fsS -X POST -H "X-Lockstep-Signature: sha256=$signature" --data "$body" ${shellWord(url)}`,
  ].join('\n')
}
