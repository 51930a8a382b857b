import { isVaried, patternRule, type SecretRule } from './rule.ts'

/**
 * Tokens that say by their first characters what they are. The prefix and the exact alphabet and length behind it are what
 * makes them precise: ordinary text has none of these.
 */
export const tokenRules: readonly SecretRule[] = [
  patternRule({
    id: 'github-token',
    words: 'a token of GitHub',
    hints: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    pattern:
      /(?<![A-Za-z0-9])(?:gh[opusr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})(?![A-Za-z0-9_])/g,
    accept: (value) => isVaried(value.slice(4)),
  }),
  patternRule({
    id: 'gitlab-token',
    words: 'a token of GitLab',
    hints: ['gl', 'GR1348941'],
    pattern:
      /(?<![A-Za-z0-9])(?:gl(?:pat|dt|ft|soat|rt|rtr|cbt|ptt|agent|oas|imt|ffct)-|GR1348941)[A-Za-z0-9_.-]{20,300}(?![A-Za-z0-9_-])/g,
    accept: (value) => isVaried(value.slice(value.startsWith('GR') ? 9 : value.indexOf('-') + 1)),
  }),
  patternRule({
    id: 'slack-token',
    words: 'a token of Slack',
    hints: ['xox', 'xapp-'],
    pattern:
      /(?<![A-Za-z0-9])(?:xox[abeoprsd]-(?:[0-9A-Za-z]{1,64}-){1,6}[0-9A-Za-z%]{10,256}|xoxe\.xox[bp]-[0-9]-[A-Za-z0-9]{100,300}|xapp-[0-9]-[A-Z0-9]{8,16}-[0-9]{10,16}-[a-f0-9]{32,80})(?![A-Za-z0-9])/g,
    accept: (value) => isVaried(value.slice(value.lastIndexOf('-') + 1)),
  }),
  patternRule({
    id: 'slack-webhook',
    words: 'an address that posts to Slack',
    hints: ['hooks.slack.com/'],
    pattern:
      /hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Z][A-Z0-9]{6,16}\/[A-Z0-9]{6,20}\/(?<value>[A-Za-z0-9/]{20,80})/g,
    accept: isVaried,
  }),
  patternRule({
    id: 'npm-token',
    words: 'a token of an npm registry',
    hints: ['npm_', ':_auth', ':_password'],
    pattern:
      /(?:(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])|:_(?:authToken|auth|password)[ \t]{0,4}=[ \t]{0,4}["']?(?<value>[A-Za-z0-9+/=_.-]{16,512}))/g,
    accept: isVaried,
  }),
  patternRule({
    id: 'pypi-token',
    words: 'a token of PyPI',
    hints: ['pypi-AgE'],
    pattern: /(?<![A-Za-z0-9])pypi-AgE[A-Za-z0-9_-]{50,1000}/g,
    accept: isVaried,
  }),
  patternRule({
    id: 'age-secret-key',
    words: 'a secret key of age',
    hints: ['AGE-SECRET-KEY-', 'AGE-PLUGIN-'],
    pattern:
      /(?<![A-Z0-9])AGE-(?:SECRET-KEY(?:-PQ)?|PLUGIN-[A-Z0-9]{1,32})-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{38,2200}/g,
    accept: isVaried,
  }),
  patternRule({
    id: 'wireguard-key',
    words: 'a secret key of WireGuard',
    hints: ['PrivateKey', 'PresharedKey'],
    pattern:
      /(?<![A-Za-z])(?:PrivateKey|PresharedKey)[ \t]{0,16}=[ \t]{0,16}(?<value>[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)(?![A-Za-z0-9+/=])/g,
    accept: isVaried,
  }),
]
