/** What stands in the page where the nonce of this response belongs; `renderer/index.html` has it. */
export const noncePlaceholder = '__CSP_NONCE__'

/**
 * The policy of every page of the console. Scripts and styles come from the bundle; libraries that add `<style>` at run
 * time carry the nonce. `style-src-attr` allows what a library positions with a `style` attribute: no attribute can
 * load or run anything under the other directives.
 */
export function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "style-src-attr 'unsafe-inline'",
    "font-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
  ].join('; ')
}
