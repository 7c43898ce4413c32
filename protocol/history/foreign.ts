/**
 * Records and states from elsewhere: checked field by field before they are believed.
 *
 * In our own journal a checksum stands for the shape; in a file that somebody sent it does not.
 */
import {
  array,
  boolean,
  define,
  enums,
  type Infer,
  integer,
  min,
  size,
  string,
  tuple,
  type,
  unknown,
} from 'superstruct'
import { GatewayError } from '../errors.ts'
import type { StreamId } from '../ids.ts'
import { limits } from '../limits.ts'
import { type JournalEvent, type JournalRecord, parseRecord, type RecordPlace } from '../record.ts'
import { check } from './incident.ts'
import { isObject } from '../members.ts'

const text = () => size(string(), 0, limits.recordBytesMax)
const stream = () =>
  define<StreamId>(
    'stream',
    (value) => typeof value === 'string' && /^[^:]+:/.test(value) && value.length <= 1_024,
  )
const time = () => define<number>('time', (value) => Number.isFinite(value))
const facts = () => define<Readonly<Record<string, unknown>>>('facts', isObject)
const event = () =>
  define<JournalEvent>(
    'event',
    (value) =>
      typeof value === 'object' && value !== null && typeof Reflect.get(value, 'type') === 'string',
  )

// The order of the fields is record.ts's.
const fields = tuple([
  integer(),
  text(),
  facts(),
  text(),
  text(),
  time(),
  min(integer(), 0),
  text(),
  integer(),
  text(),
  text(),
  array(tuple([text(), facts()])),
  array(tuple([stream(), event()])),
  array(tuple([text(), time(), event()])),
  array(text()),
])

/**
 * Reads the tuple of a record that came from elsewhere.
 * @throws {GatewayError} RECORD_FORMAT: a field is missing or of another kind.
 */
export function parseForeignRecord(place: RecordPlace, tupleOf: readonly unknown[]): JournalRecord {
  const where = `record #${place.position}`
  if (!/^[^:]+:/.test(place.stream)) {
    throw new GatewayError('RECORD_FORMAT', `${where}: no name of a stream`, { place: where })
  }
  return parseRecord(place, check(fields, tupleOf.slice(0, FIELDS), where))
}

const FIELDS = 15 // A later version may add some behind.

const open = {
  stream: stream(),
  correlationId: text(),
}

const parts = type({
  bases: array(
    type({
      stream: stream(),
      version: min(integer(), 1),
      position: min(integer(), 0),
      code: text(),
      hash: text(),
      state: type({
        value: unknown(),
        status: enums(['active', 'done', 'error', 'stopped']),
        context: unknown(),
      }),
    }),
  ),
  open: type({
    effects: array(
      tuple([text(), type({ ...open, name: text(), params: facts(), started: boolean() })]),
    ),
    sends: array(tuple([text(), type({ to: stream(), event: event(), correlationId: text() })])),
    waits: array(tuple([text(), type({ ...open, id: text(), dueAt: time(), event: event() })])),
    connections: array(text()),
    channels: array(text()),
  }),
})

/** What a segment stands on: states of its actors before it, and what was open there. */
export type ForeignParts = Infer<typeof parts>

/** Reads bases and open work. @throws {GatewayError} RECORD_FORMAT */
export function parseForeignParts(value: unknown): ForeignParts {
  return check(parts, value, 'bases')
}
