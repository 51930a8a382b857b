import { isVaried, patternRule, type SecretRule } from './rule.ts'

const kind = /kind["']?[ \t]{0,8}:[ \t]{0,8}["']?Config\b/

/** A random token has digits; a name in a program that looks like one has not two of them. */
function isToken(value: string, { text }: { readonly text: string }): boolean {
  return isVaried(value) && /[0-9][^0-9]{0,40}[0-9]/.test(value) && text.includes('contexts') && kind.test(text)
}

export const kubeconfigRules: readonly SecretRule[] = [
  patternRule({
    id: 'kubeconfig-client-key',
    words: 'the private key of a user of Kubernetes',
    hints: ['client-key-data'],
    pattern: /client-key-data["']?[ \t]{0,8}:\s{0,40}["']?(?<value>[A-Za-z0-9+/]{64,40000}={0,2})/g,
    accept: isVaried,
  }),
  patternRule({
    id: 'kubeconfig-token',
    words: 'the token or password of a user of Kubernetes',
    hints: ['contexts'],
    pattern:
      /(?<![A-Za-z_-])(?:token|id-token|refresh-token|password)["']?[ \t]{0,8}:[ \t]{0,8}["']?(?<value>[A-Za-z0-9._~+/=-]{16,12000})(?=["',\s}]|$)/g,
    accept: isToken,
  }),
]
