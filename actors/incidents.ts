/**
 * Incidents beside the journal: `<stateDir>/incidents/<id>/incident.json`, and files exported.
 *
 * No record is written (decisions.md 13), so that a note can be taken while the gateway is dead.
 * Directories are 0700 and files 0600: notes are about people. A document is replaced whole, so a
 * crash leaves the old one or the new one.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GatewayError } from '../protocol/errors.ts'
import { type Incident, parseIncident } from '../protocol/history/incident.ts'
import { quote } from '../protocol/ids.ts'
import { limits } from '../protocol/limits.ts'
import { isAlive, notWritten, writePrivate } from './private-file.ts'

/** The incidents of one state directory. */
export interface Incidents {
  /** All that can be read, oldest first; others are passed over. */
  readonly list: () => Incident[]
  /** Reads one by `inc-3` or `3`; the newest where none is named. @throws NOT_FOUND */
  readonly read: (id: string | undefined) => Incident
  /** Makes the next id and writes the incident under it. */
  readonly create: (draft: Omit<Incident, 'id'>) => Incident
  /** Changes one under a claim, so that of two notes at once none is lost. @throws UNAVAILABLE */
  readonly update: (id: string, change: (incident: Incident) => Incident) => Incident
  /** Removes an incident with all its files; what was exported elsewhere stays. */
  readonly drop: (id: string) => Incident
  readonly directory: (id: string) => string
  /** Where a file imported under this id lies. */
  readonly bundle: (id: string) => string
}

const DOCUMENT = 'incident.json'
const BUNDLE = 'bundle.ocinc'
const CLAIM = 'incident.claim'
const CREATE_TRIES = 100 // Others that take an id at the same time.

/** Opens the incidents of a state directory; nothing is written before `create`. */
export function openIncidents(stateDir: string): Incidents {
  const root = join(stateDir, 'incidents')
  const directory = (id: string): string => join(root, canonicalId(id))
  const list = (): Incident[] => idsIn(root).flatMap((id) => tryRead(join(root, id, DOCUMENT)))
  const write = (incident: Incident): void =>
    writeDocument(directory(incident.id), JSON.stringify(incident, null, 1))
  const read = (id: string | undefined): Incident => {
    const [newest] = idsIn(root).slice(-1)
    const named = id === undefined ? newest : canonicalId(id)
    if (named === undefined) throw notFound('there is none yet')
    const incident = readDocument(join(root, named, DOCUMENT))
    if (incident === null) throw notFound(`no ${named}`)
    return incident
  }
  return {
    list,
    read,
    directory,
    update: (id, change) =>
      claimed(join(directory(id), CLAIM), () => {
        const changed = change(read(id))
        write(changed)
        return changed
      }),
    bundle: (id) => join(directory(id), BUNDLE),
    create: (draft) => {
      const incident = { ...draft, id: claimId(root) }
      write(incident)
      return incident
    },
    drop: (id) => {
      const incident = read(id)
      rmSync(directory(id), { recursive: true })
      return incident
    },
  }
}

function notFound(what: string): GatewayError {
  return new GatewayError('NOT_FOUND', `incidents: ${what}`)
}

/** Writes an id in its one form. @throws {GatewayError} NOT_FOUND: it is none. */
export function canonicalId(text: string): string {
  const number = /^(?:inc-)?(\d{1,9})$/.exec(text)?.[1]
  if (number === undefined) throw notFound(`expected inc-N, got ${quote(text)}`)
  return `inc-${Number(number)}`
}

function idsIn(root: string): string[] {
  let names: string[]
  try {
    names = readdirSync(root)
  } catch {
    return [] // Nothing was ever written.
  }
  const numbers = names.flatMap((name) => /^inc-(\d{1,9})$/.exec(name)?.[1] ?? []).map(Number)
  return numbers.toSorted((a, b) => a - b).map((number) => `inc-${number}`)
}

// The directory is the claim: mkdir is refused to all but one.
function claimId(root: string): string {
  mkdirSync(root, { recursive: true, mode: 0o700 })
  const newest = Number(idsIn(root).at(-1)?.slice('inc-'.length) ?? 0)
  for (let next = newest + 1; next <= newest + CREATE_TRIES; next += 1) {
    try {
      mkdirSync(join(root, `inc-${next}`), { mode: 0o700 })
      return `inc-${next}`
    } catch (error) {
      if (!isFault(error, 'EEXIST')) throw notWritten(join(root, `inc-${next}`), error)
    }
  }
  throw new GatewayError('UNAVAILABLE', 'incidents: no free id')
}

// A claim whose process is gone is nobody's.
function claimed<T>(path: string, change: () => T): T {
  if (!tryClaim(path)) {
    const owner = Number(readOr(path, ''))
    if (owner > 0 && isAlive(owner)) throw busy(owner)
    rmSync(path, { force: true })
    if (!tryClaim(path)) throw busy(owner)
  }
  try {
    return change()
  } finally {
    rmSync(path, { force: true })
  }
}

function busy(pid: number): GatewayError {
  const text = 'incident: another command is writing to it; try again'
  return new GatewayError('UNAVAILABLE', text, { pid })
}

function tryClaim(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (isFault(error, 'EEXIST')) return false
    if (isFault(error, 'ENOENT')) throw notFound('it is gone')
    throw notWritten(path, error)
  }
}

function readOr(path: string, other: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return other // It was let go meanwhile.
  }
}

function isFault(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function readDocument(path: string): Incident | null {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return null
  if (stats.size > limits.incidentFileBytesMax) {
    throw new GatewayError('RECORD_FORMAT', `${path}: larger than an incident may be`)
  }
  return parseIncident(readFileSync(path, 'utf8'))
}

function tryRead(path: string): Incident[] {
  try {
    const incident = readDocument(path)
    return incident === null ? [] : [incident]
  } catch (error) {
    if (error instanceof GatewayError) return []
    throw error
  }
}

function writeDocument(directory: string, text: string): void {
  if (Buffer.byteLength(text) > limits.incidentFileBytesMax) {
    throw new GatewayError('PAYLOAD_TOO_LARGE', 'incident: too many notes; begin another')
  }
  writePrivate(join(directory, DOCUMENT), text)
}
