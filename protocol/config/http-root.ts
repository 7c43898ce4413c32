/** Addresses of API servers to which a secret goes with each request. */

/** Tells whether a URL is one: https, or http of this machine, with nothing behind its path. */
export function isHttpRoot(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  if (`${username}${password}${search}${hash}` !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && isLocal(text))
}

/** Tells whether a URL is one of this machine, by its address alone. */
export function isLocal(text: string | undefined): boolean {
  if (text === undefined || !URL.canParse(text)) return false
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(new URL(text).hostname)
}
