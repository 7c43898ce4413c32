/**
 * The specification's dialect on one connection: commands in, what the hub tells out. Step 3 of 8,
 * and its end of step 8.
 */
import type { NodeFacts } from '../machines/connection.ts'
import { parseCommand } from '../protocol/command.ts'
import { formatFault, parseSeedRequest } from '../protocol/dialect/seed.ts'
import { GatewayError } from '../protocol/errors.ts'
import { cutText } from '../protocol/ids.ts'
import type { RequestFrame } from '../protocol/frame.ts'
import { limits } from '../protocol/limits.ts'
import type { ConnectParams, EventName } from '../protocol/methods.ts'
import type { JournalRecord } from '../protocol/record.ts'
import type { Caller } from './caller.ts'
import type { ConnectionHouse } from './connections.ts'
import type { Subscriber } from './hub.ts'
import type { Admitted, Goodbye, Line, Opening, Speech } from './speech.ts'

export class SeedSpeech implements Speech, Subscriber {
  readonly challenges = true
  #line: Line
  #house: ConnectionHouse
  #caller: Caller | null = null
  #resumeFrom: number | undefined
  #seq = 0

  constructor(line: Line, house: ConnectionHouse) {
    this.#line = line
    this.#house = house
  }

  opening({ id, params }: RequestFrame): Opening {
    if (id.split('#')[0] !== 'connect') {
      throw new GatewayError('INVALID_REQUEST', 'the first request must be connect', { path: 'id' })
    }
    const asked = parseCommand('connect', params).params as ConnectParams
    this.#resumeFrom = asked.resumeFrom
    return { params: asked, proof: null, node: this.#nodeOf(asked) }
  }

  // What a node of this dialect declares is what it can be asked.
  #nodeOf({ role, capabilities = [], deviceId, version = '' }: ConnectParams): NodeFacts | null {
    if (role !== 'node') return null
    const requestId = this.#house.services.chance.id()
    const surface = { caps: [], commands: [...capabilities] }
    const words = { displayName: cutText(deviceId), platform: '', version, clientId: 'node' }
    return { requestId, ...words, surface }
  }

  refuse(id: string, error: GatewayError): Goodbye {
    return { frame: formatFault(id, error), code: 1008, reason: error.code }
  }

  fault(id: string, error: GatewayError) {
    return formatFault(id, error)
  }

  join({ caller, admission }: Admitted): Promise<void> {
    const { hub } = this.#house
    const from = this.#resumeFrom
    if (from !== undefined) hub.assertResumable(from)
    this.#caller = caller
    if (admission.role === 'node') {
      this.#house.nodes.attach(this.#line.id, (request) =>
        this.send('node.invoke', JSON.stringify(request)),
      )
    } else {
      this.#house.offers.attach(this.#line.id, (call) =>
        this.send('tool.call', JSON.stringify(call)),
      )
    }
    if (from !== undefined) return hub.resume(this, from)
    hub.add(this)
    return Promise.resolve()
  }

  leave(): void {
    this.#house.hub.remove(this)
    this.#house.nodes.detach(this.#line.id)
    this.#house.offers.detach(this.#line.id)
  }

  greeted(): void {}

  hello({ caller, admission, deviceToken }: Admitted): unknown {
    const { deviceId, role, scopes } = admission
    const { version, epoch, hub, heads } = this.#house
    const head = heads.current()
    return {
      connectionId: this.#line.id,
      deviceId,
      role,
      scopes,
      position: hub.position,
      ...(head === null ? {} : { head }),
      ...(deviceToken === null ? {} : { deviceToken }),
      server: { name: 'openclaw-gateway', version, epoch },
      subscribe: caller.subscription,
      policy: { maxPayload: limits.frameBytesMax, tickIntervalMs: limits.tickIntervalMs },
    }
  }

  // A bare method name is no id of the client's own: clients of this dialect may have several of it
  // in flight.
  isOwnId(id: string): boolean {
    return id.includes('#')
  }

  async serve(frame: RequestFrame, caller: Caller, cause: string): Promise<unknown> {
    return caller.handle(parseSeedRequest(frame), cause)
  }

  wants(event: EventName): boolean {
    return this.#caller?.hears(event) ?? false
  }

  watches(runId: string): boolean {
    return this.#caller?.watches(runId) ?? false
  }

  approves(exceptId: string): boolean {
    return this.#line.id !== exceptId && this.wants('approval')
  }

  follows(record: JournalRecord): boolean {
    return this.#caller?.follows(record) ?? false
  }

  get full(): boolean {
    return this.#line.isFull()
  }

  drained(): Promise<void> {
    return this.#line.drained()
  }

  send(event: EventName, payloadJson: string): void {
    if (!this.#line.isOpen()) return
    this.#seq += 1
    this.#line.write(
      `{"type":"event","event":"${event}","payload":${payloadJson},"seq":${this.#seq}}`,
    )
  }
}
