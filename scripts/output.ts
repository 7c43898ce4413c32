/**
 * How verbs speak: answers on stdout, remarks on stderr, nothing that a terminal would obey.
 */

// CSI and OSC sequences whole, then whatever control is left but newline and tab.
const SEQUENCES =
  // eslint-disable-next-line no-control-regex -- controls are what is looked for
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\u001b\]|\u009d)[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?/g
const CONTROLS =
  // eslint-disable-next-line no-control-regex -- controls are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Takes escape sequences and control characters out of a text; newlines and tabs stay. */
export function plain(text: string): string {
  return text.replaceAll(SEQUENCES, '').replaceAll(CONTROLS, '')
}

/** Prints part of an answer as it is, without a newline. */
export function stream(text: string): void {
  process.stdout.write(plain(text))
}

/** Makes one line of a text: what came out of a file may not pass for lines of our own. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\t\u2028\u2029]+/g, ' ')
}

/** Prints one line of an answer, whatever names from a file would make of it. */
export function show(line: string): void {
  process.stdout.write(`${plain(oneLine(line))}\n`)
}

/** Prints a text of several lines, which are its writer's own. */
export function showText(text: string): void {
  process.stdout.write(`${plain(text)}\n`)
}

/** Prints one JSON document on one line, with no control that a terminal would obey. */
export function showJson(value: unknown): void {
  const json = JSON.stringify(value).replaceAll(
    CONTROLS,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  process.stdout.write(`${json}\n`)
}

/** Prints a remark for people, beside the answer. */
export function note(line: string): void {
  process.stderr.write(`${plain(line)}\n`)
}

/** Lines up rows in columns, two spaces between them; a cell makes no line of its own. */
export function columns(cells: readonly (readonly string[])[]): string[] {
  const rows = cells.map((row) => row.map((cell) => oneLine(plain(cell))))
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length)
    }
  }
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Shows rows under their headings, or that there are none. */
export function showRows(
  headings: readonly string[],
  cells: readonly (readonly string[])[],
  none: string,
): void {
  if (cells.length === 0) return note(none)
  for (const line of columns([headings, ...cells])) show(line)
}

/** Writes a span of time for people: `3 d 4 h`, `12 min`, `8 s`. */
export function formatSpan(seconds: number): string {
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor((seconds % 86_400) / 3_600)
  const minutes = Math.floor((seconds % 3_600) / 60)
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`
}

/** Writes a number of bytes for people: `1.5 GiB`, `12 MiB`, `34 KiB`. */
export function formatBytes(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(1)} GiB`
  return bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(0)} MiB` : `${Math.ceil(bytes / 1024)} KiB`
}
