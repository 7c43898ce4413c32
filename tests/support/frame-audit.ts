/**
 * Holds every frame that a gateway sent to upstream's published schema and to the rules that
 * silently break clients: no `error: null`, gapless `seq` for each connection, no answer to a
 * request that nobody made.
 *
 * Connections of protocol 3, by the hello that they got, are held to the envelope and the rules alone: their
 * payloads have older shapes, of which no schema is published.
 */
import type { Recorded } from './recorder.ts'
import {
  checkEvent,
  checkFrame,
  checkResult,
  SchemaFault,
  type Verdict,
} from './upstream-schema.ts'

/** What a stretch of frames came to. */
export interface AuditReport {
  readonly frames: number // that the gateway sent
  readonly faults: ReadonlyMap<string, number> // `result health: /ok: missing` -> how often
  readonly unpublished: ReadonlySet<string> // `result status`: nothing is published to hold it to
}

interface Connection {
  readonly methods: Map<string, { method: string; params: unknown }> // by id of the request
  protocol: number // of the hello; until then the newest that the client asks for
  seq: number // the newest; 0 before the first
}

interface SeenFrame {
  readonly type?: string
  readonly id?: string
  readonly method?: string
  readonly params?: { readonly maxProtocol?: number } | null
  readonly ok?: boolean
  readonly payload?: unknown
  readonly event?: string
  readonly seq?: number
  readonly error?: unknown
}

/** Takes frames in as they are recorded. */
export class FrameAudit {
  #frames = 0
  readonly #faults = new Map<string, number>()
  readonly #unpublished = new Set<string>()
  readonly #connections = new Map<number, Connection>()

  /** Takes in one frame, whoever sent it. */
  take({ connection, from, frame }: Recorded): void {
    if (typeof frame !== 'object' || frame === null) return
    const known = this.#connections.get(connection) ?? { methods: new Map(), protocol: 4, seq: 0 }
    this.#connections.set(connection, known)
    if (from === 'client') noteRequest(known, frame)
    else this.#audit(known, frame)
  }

  report(): AuditReport {
    return { frames: this.#frames, faults: this.#faults, unpublished: this.#unpublished }
  }

  #audit(connection: Connection, frame: SeenFrame): void {
    this.#frames += 1
    this.#hold('frame', () => checkFrame(frame))
    if (frame.type === 'event') this.#auditEvent(connection, frame)
    if (frame.type === 'res') this.#auditAnswer(connection, frame)
  }

  #auditEvent(connection: Connection, { event = '', seq, payload }: SeenFrame): void {
    if (connection.protocol < 4) return
    this.#hold(`event ${event}`, () => checkEvent(event, payload))
    if (seq === undefined) return
    if (seq !== connection.seq + 1) this.#add(`seq: a gap after event ${event}`)
    connection.seq = seq
  }

  #auditAnswer(connection: Connection, { id = '', ok, payload, error }: SeenFrame): void {
    const asked = connection.methods.get(id)
    if (error === null) this.#add(`result ${asked?.method ?? '?'}: error is null`)
    // A frame that is no request at all is answered with its id, or `invalid`.
    if (asked === undefined && id !== 'invalid') this.#add('result: of a request that was not made')
    if (asked === undefined || ok !== true) return
    if (asked.method === 'connect') connection.protocol = protocolOf(payload) ?? connection.protocol
    if (connection.protocol < 4) return
    const { method, params } = asked
    this.#hold(`result ${method}`, () => checkResult(method, payload, params))
  }

  #hold(subject: string, checkIt: () => Verdict): void {
    try {
      if (checkIt() === 'unpublished') this.#unpublished.add(subject)
    } catch (thrown) {
      if (!(thrown instanceof SchemaFault)) throw thrown
      for (const fault of thrown.faults) {
        this.#add(`${subject}: ${fault.replaceAll(/\/\d+(?=\/)/g, '/*')}`)
      }
    }
  }

  #add(fault: string): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1)
  }
}

function noteRequest(connection: Connection, { id, method, params }: SeenFrame): void {
  if (id === undefined) return
  connection.methods.set(id, { method: method ?? '', params })
  if (method === 'connect') connection.protocol = params?.maxProtocol ?? 4
}

/** The protocol that a hello names. */
function protocolOf(payload: unknown): number | undefined {
  if (typeof payload !== 'object' || payload === null || !('protocol' in payload)) return undefined
  return typeof payload.protocol === 'number' ? payload.protocol : undefined
}
