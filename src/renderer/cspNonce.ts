/*
 * Libraries add <style> elements at run time, which `style-src 'self' 'nonce-…'` refuses unless they carry the nonce
 * that the host has put into this page. Imported first, before anything can create one.
 */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? ''

/** A host that sets no policy leaves the placeholder as it is. */
export const cspNonce: string | undefined = nonce === '' || nonce === '__CSP_NONCE__' ? undefined : nonce

if (cspNonce !== undefined) {
  const createElement = document.createElement.bind(document)
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = createElement(name, options)
    if (name.toLowerCase() === 'style') element.setAttribute('nonce', cspNonce)
    return element
  }) as typeof document.createElement
}
