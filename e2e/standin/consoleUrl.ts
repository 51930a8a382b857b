/*
 * Chromium aborts navigation to a scheme it does not know. `app://console/x` is therefore `https://console/x` in the
 * page: a secure, standard origin that no name server answers for. Everything outside this folder sees `app:`.
 */

/** A host name without a dot cannot be on the internet. */
export function isTranslated(url: URL): boolean {
  return url.protocol === 'https:' && !url.hostname.includes('.')
}

export function toPageUrl(url: string): string {
  return url.replace(/^app:\/\//, 'https://')
}

export function toAppUrl(url: string): string {
  return URL.canParse(url) && isTranslated(new URL(url)) ? url.replace(/^https:\/\//, 'app://') : url
}
