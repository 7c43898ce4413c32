/**
 * Masks: secrets and personal data in a text, each overwritten with as many stars.
 *
 * The text keeps its length in bytes, so that offsets into it stay true. Every pattern is bounded or
 * begins where none of its own kind can go on, so that the time grows with the text and no text
 * makes one of them wander. Where a shape alone says too little, a checksum decides.
 *
 * Masking is a net, no proof: what has no shape (a name, an address of a street) passes.
 */

/** What was found, by detector. */
export type MaskCounts = Readonly<Record<string, number>>

interface Detector {
  readonly name: string
  readonly pattern: RegExp // global
  /** Tells how many characters of a match are meant; 0: none. Default: all. */
  readonly accepts?: (match: string) => number
}

const SECRET_NAMES =
  'access_token|refresh_token|id_token|token|api_?key|apikey|secret|client_secret|password|passwd|pwd|sig|signature|x-amz-signature|auth'

/** In this order: the most telling shape first, long runs of anything last. */
const DETECTORS: readonly Detector[] = [
  {
    name: 'pem',
    pattern:
      /-----BEGIN [A-Z0-9 ]{1,40}-----[A-Za-z0-9+/=\s:,.]{0,16384}(?:-----END [A-Z0-9 ]{1,40}-----)?/g,
  },
  { name: 'jwt', pattern: /(?<![\w-])eyJ[\w-]{8,4096}\.[\w-]{2,8192}\.[\w-]{0,2048}/g },
  { name: 'url credentials', pattern: /(?<=:\/\/)[^\s/@?#]{1,512}(?=@)/g },
  {
    name: 'url secret',
    pattern: new RegExp(String.raw`(?<=[?&](?:${SECRET_NAMES})=)[^\s&#"'<>]{1,2048}`, 'gi'),
  },
  { name: 'bearer', pattern: /(?<=\bbearer\s)[\w.~+/=-]{8,2048}/gi },
  {
    name: 'aws key',
    pattern: /(?<![A-Z0-9])(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}(?![A-Z0-9])/g,
  },
  {
    name: 'github token',
    pattern: /(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})/g,
  },
  { name: 'anthropic key', pattern: /(?<![\w-])sk-ant-[\w-]{20,255}/g },
  { name: 'openai key', pattern: /(?<![\w-])sk-(?!ant-)[\w-]{20,255}/g },
  {
    name: 'slack token',
    pattern: /(?<![\w-])xox[abeoprs]-[\w-]{10,255}|(?<=hooks\.slack\.com\/services\/)[\w/]{20,80}/g,
  },
  { name: 'telegram token', pattern: /(?<!\d)\d{8,10}:[\w-]{35}(?![\w-])/g },
  { name: 'google key', pattern: /(?<![\w-])AIza[\w-]{35}(?![\w-])/g },
  {
    name: 'named secret',
    pattern:
      /(?<=(?:password|passwd|pwd|passphrase|token|secret|api[_-]?key|(?<![a-z])key)["']?(?:\s{0,4}[:=]\s{0,4}|\sis\s)["']?)(?![\s*"'])[^\s"',;]{4,512}/gi,
  },
  { name: 'e-mail', pattern: /[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g },
  {
    name: 'iban',
    pattern: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}/gi,
    accepts: ibanOf,
  },
  { name: 'card', pattern: /(?<![\d.])\d(?:[ -]?\d){12,18}(?!\d)/g, accepts: cardOf },
  {
    name: 'phone',
    pattern:
      /(?<![\w.+])(?:\+|00)\d(?:[ ()./-]{0,2}\d){6,14}(?!\d)|(?<![\w.+-]|\d )\(?\d{2,5}\)?[ /-]\d{3,4}[ -]?\d{3,5}(?![\d-]| \d)/g,
  },
  {
    name: 'ipv4',
    pattern:
      /(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?!\d|\.\d)/g,
  },
  {
    name: 'ipv6',
    pattern: /(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi,
    accepts: ipv6Of,
  },
  { name: 'long hex', pattern: /(?<![0-9a-f])[0-9a-f]{32,}/gi },
  {
    name: 'long base64',
    pattern: /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,}={0,2}/g,
    accepts: base64Of,
  },
]

/** Names every detector, in the order in which they look. */
export const DETECTOR_NAMES: readonly string[] = DETECTORS.map(({ name }) => name)

/** Masks a text; the result has as many bytes in UTF-8. */
export function maskText(text: string): { text: string; found: MaskCounts } {
  let masked = text
  const found: Record<string, number> = {}
  for (const detector of DETECTORS) {
    const places = placesOf(detector, masked)
    if (places.length === 0) continue
    found[detector.name] = places.length
    masked = cover(masked, places)
  }
  return { text: masked, found }
}

/**
 * Masks a body: its text where it is UTF-8, else every byte, since nothing can be told of it.
 */
export function maskBytes(bytes: Uint8Array): { bytes: Uint8Array; found: MaskCounts } {
  const text = textOf(bytes)
  if (text === null) return { bytes: new Uint8Array(bytes.length).fill(STAR), found: { binary: 1 } }
  const masked = maskText(text)
  return { bytes: new TextEncoder().encode(masked.text), found: masked.found }
}

const STAR = 0x2a

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

/** Adds counts up. */
export function addCounts(one: MaskCounts, other: MaskCounts): MaskCounts {
  const sum: Record<string, number> = { ...one }
  for (const [name, count] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + count
  return sum
}

interface Place {
  readonly from: number
  readonly to: number
}

function placesOf({ pattern, accepts }: Detector, text: string): Place[] {
  const places: Place[] = []
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const length = accepts === undefined ? match[0].length : accepts(match[0])
    if (length > 0) places.push({ from: match.index, to: match.index + length })
    pattern.lastIndex = match.index + Math.max(1, length)
  }
  return places
}

function cover(text: string, places: readonly Place[]): string {
  const parts: string[] = []
  let at = 0
  for (const { from, to } of places) {
    parts.push(text.slice(at, from), '*'.repeat(bytesOf(text.slice(from, to))))
    at = to
  }
  parts.push(text.slice(at))
  return parts.join('')
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}

// ISO 13616: first four to the end, letters as numbers, modulo 97 is 1. A text may go on behind.
function ibanOf(match: string): number {
  for (let end = match.length; end >= 15; end -= 1) {
    const compact = match.slice(0, end).replaceAll(' ', '').toUpperCase()
    if (compact.length < 15) return 0
    if (!match.slice(0, end).endsWith(' ') && remainder(compact) === 1) return end
  }
  return 0
}

function remainder(iban: string): number {
  let rest = 0
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(character, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest
}

// ISO/IEC 7812: the digit sum of Luhn is a multiple of 10.
function cardOf(match: string): number {
  const digits = match.replaceAll(/[ -]/g, '')
  let sum = 0
  for (let index = 0; index < digits.length; index += 1) {
    const digit = digits.at(-1 - index)
    const doubled = Number(digit) * (index % 2 === 0 ? 1 : 2)
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0 ? match.length : 0
}

// A time of day has two colons as well: an address has seven, or leaves some out.
function ipv6Of(match: string): number {
  const colons = match.split(':').length - 1
  const isShort = match.includes('::') && /[0-9a-f]/i.test(match)
  return isShort || colons === 7 ? match.length : 0
}

// A long word or a path has no digits and both cases in it.
function base64Of(match: string): number {
  const isMixed = /\d/.test(match) && /[a-z]/.test(match) && /[A-Z]/.test(match)
  return isMixed ? match.length : 0
}
