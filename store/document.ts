/**
 * Documents of strangers: msgpack that is walked before it is decoded.
 *
 * A decoder believes the counts that it reads: five bytes may ask for an array of four thousand
 * million, and a kilobyte may nest a thousand deep. The walk takes one pass, allocates nothing, and
 * lets through only what we write ourselves: no extensions, and no count that the bytes left
 * cannot hold.
 */
import { unpack } from '../protocol/codec.ts'
import { GatewayError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'

/**
 * Decodes one document that came from elsewhere; `place` names it in faults.
 * @throws {GatewayError} RECORD_FORMAT: cut short, too deep, too many values, or foreign types.
 */
export function unpackForeign(
  place: string,
  bytes: Uint8Array,
  valuesMax: number = limits.bundleValuesMax,
): unknown {
  const reason = faultOf(bytes, valuesMax)
  if (reason === null) return unpack(bytes)
  throw new GatewayError('RECORD_FORMAT', `${place}: ${reason}`, { place, reason })
}

function faultOf(bytes: Uint8Array, valuesMax: number): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const open: number[] = [] // members still to come, of each container
  let left = 1
  let values = 0
  let at = 0
  for (;;) {
    while (left === 0) {
      const outer = open.pop()
      if (outer === undefined) return at === bytes.length ? null : 'bytes behind the value'
      left = outer
    }
    if (at >= bytes.length) return 'cut short'
    left -= 1
    values += 1
    if (values > valuesMax) return `more than ${valuesMax} values`
    const token = tokenAt(view, at)
    if (token === null) return `a type that is not ours, at byte ${at}`
    at += token.bytes
    if (at + token.members > bytes.length) return 'cut short'
    if (token.members === 0) continue
    open.push(left)
    if (open.length > limits.bundleDepthMax) return `more than ${limits.bundleDepthMax} deep`
    left = token.members
  }
}

interface Token {
  readonly bytes: number // of the token and of the text or bytes behind it
  readonly members: number // values that follow and belong to it
}

// https://github.com/msgpack/msgpack/blob/master/spec.md
function tokenAt(view: DataView, at: number): Token | null {
  const tag = view.getUint8(at)
  if (tag <= 0x7f || tag >= 0xe0) return { bytes: 1, members: 0 }
  if (tag <= 0x8f) return { bytes: 1, members: (tag & 0x0f) * 2 }
  if (tag <= 0x9f) return { bytes: 1, members: tag & 0x0f }
  if (tag <= 0xbf) return { bytes: 1 + (tag & 0x1f), members: 0 }
  const fixed = FIXED[tag]
  if (fixed !== undefined) return { bytes: fixed, members: 0 }
  const counted = COUNTED[tag]
  if (counted === undefined) return null
  const [width, perCount, membersPerCount] = counted
  // A count that is cut short is caught by the caller: the token then ends behind the last byte.
  if (at + 1 + width > view.byteLength) return { bytes: 1 + width, members: 0 }
  const count = countAt(view, at + 1, width)
  return { bytes: 1 + width + count * perCount, members: count * membersPerCount }
}

// nil, false, true, float 32 and 64, uint 8 to 64, int 8 to 64.
const FIXED: Readonly<Record<number, number>> = {
  0xc0: 1,
  0xc2: 1,
  0xc3: 1,
  0xca: 5,
  0xcb: 9,
  0xcc: 2,
  0xcd: 3,
  0xce: 5,
  0xcf: 9,
  0xd0: 2,
  0xd1: 3,
  0xd2: 5,
  0xd3: 9,
}

// bin, str, array and map: bytes of the count, then bytes and members for each that it counts.
const COUNTED: Readonly<Record<number, readonly [number, number, number]>> = {
  0xc4: [1, 1, 0],
  0xc5: [2, 1, 0],
  0xc6: [4, 1, 0],
  0xd9: [1, 1, 0],
  0xda: [2, 1, 0],
  0xdb: [4, 1, 0],
  0xdc: [2, 0, 1],
  0xdd: [4, 0, 1],
  0xde: [2, 0, 2],
  0xdf: [4, 0, 2],
}

function countAt(view: DataView, at: number, width: number): number {
  if (width === 1) return view.getUint8(at)
  return width === 2 ? view.getUint16(at) : view.getUint32(at)
}
