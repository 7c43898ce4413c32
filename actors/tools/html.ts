/**
 * The text of a web page: what a reader would see, without markup. No parser: nothing in a page is
 * run, followed or trusted; what is malformed gives worse text and nothing else. Linear in its size.
 */

const HIDDEN: ReadonlySet<string> = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'head',
  'title',
  'iframe',
])
const BREAKS: ReadonlySet<string> = new Set(
  'p div br li ul ol tr table h1 h2 h3 h4 h5 h6 section article header footer main nav pre blockquote hr'.split(
    ' ',
  ),
)
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  ndash: '–',
  mdash: '—',
  hellip: '…',
}

/** Reads the text off a page. */
export function textOfHtml(html: string): string {
  let text = ''
  let at = 0
  let hidden = '' // the element whose content is passed over
  while (at < html.length) {
    const open = html.indexOf('<', at)
    const end = open === -1 ? html.length : open
    if (hidden === '') text += html.slice(at, end)
    if (open === -1) break
    const tag = readTag(html, open)
    at = tag.end
    if (hidden !== '') {
      if (tag.isEnd && tag.name === hidden) hidden = ''
    } else if (HIDDEN.has(tag.name) && !tag.isEnd && !tag.isEmpty) hidden = tag.name
    else if (BREAKS.has(tag.name)) text += '\n'
  }
  return tidy(decode(text))
}

/** Reads the title off a page; '' where it has none. */
export function titleOfHtml(html: string): string {
  const open = html.search(/<title[\s>]/i)
  if (open === -1) return ''
  const from = html.indexOf('>', open) + 1
  const to = html.indexOf('<', from)
  return tidy(decode(html.slice(from, to === -1 ? from : to))).slice(0, 200)
}

interface Tag {
  readonly name: string
  readonly isEnd: boolean
  readonly isEmpty: boolean
  readonly end: number // behind it
}

function readTag(html: string, open: number): Tag {
  const isComment = html.startsWith('<!--', open)
  const close = html.indexOf(isComment ? '-->' : '>', open)
  const end = close === -1 ? html.length : close + (isComment ? 3 : 1)
  const isEnd = html[open + 1] === '/'
  const from = open + (isEnd ? 2 : 1)
  const name = /^[a-z][a-z0-9]*/i.exec(html.slice(from, from + 16))?.[0]?.toLowerCase() ?? ''
  return { name: isComment ? '' : name, isEnd, isEmpty: html[end - 2] === '/', end }
}

function decode(text: string): string {
  return text.replaceAll(/&(#x[\da-f]{1,6}|#\d{1,7}|[a-z]{2,8});/gi, (whole, body: string) => {
    if (!body.startsWith('#')) return ENTITIES[body.toLowerCase()] ?? whole
    const code = /^#x/i.test(body) ? Number.parseInt(body.slice(2), 16) : Number(body.slice(1))
    return code > 0 && code <= 0x10_ff_ff ? String.fromCodePoint(code).toWellFormed() : whole
  })
}

function tidy(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replaceAll(/\s+/g, ' ').trim())
    .filter((line, index, lines) => line !== '' || (lines[index - 1] ?? '') !== '')
    .join('\n')
    .trim()
}
