/**
 * Linking a device to a WhatsApp account, by a code that its owner's phone scans once, and unlinking it.
 *
 * Part of WhatsApp's adapter; run by `openclaw channels login | logout whatsapp` in a process of its own.
 */
import {
  type Baileys,
  type Creds,
  LOGGED_OUT,
  openSocket,
  readCreds,
  RESTART_REQUIRED,
  type SecretFiles,
  type Socket,
  standingOf,
} from './whatsapp-seam.ts'

/** What a login is made of. */
export interface Login {
  readonly baileys: Baileys
  readonly files: SecretFiles
  /** Shows a code; each takes the place of the one before. */
  readonly show: (code: string) => void
}

/**
 * Links this gateway. Resolves when the account has let us in and the credentials are on disk;
 * rejects with an Error when the codes are used up or the phone says no; then no credentials are left.
 */
export async function loginWhatsApp({ baileys, files, show }: Login): Promise<void> {
  const login = { baileys, files, show }
  try {
    let end = await link(login, readCreds(baileys, files) ?? baileys.initAuthCreds())
    if (end === LOGGED_OUT) {
      // The phone has thrown this device out before: it has to come as another one.
      files.clear()
      end = await link(login, baileys.initAuthCreds())
    }
    if (end !== null) throw new Error(`whatsapp: not linked, closed with ${end}`)
  } catch (thrown) {
    files.clear()
    throw thrown
  }
}

/**
 * Unlinks this gateway and forgets its secrets. Resolves with whether the account has let go of it;
 * where it has not, since it could not be asked, the phone has to do that.
 */
export async function logoutWhatsApp(
  baileys: Baileys | null,
  files: SecretFiles,
): Promise<boolean> {
  const creds = baileys === null ? null : readCreds(baileys, files)
  try {
    return baileys !== null && creds !== null && (await unlink(baileys, files, creds))
  } catch {
    return false
  } finally {
    files.clear()
  }
}

async function unlink(baileys: Baileys, files: SecretFiles, creds: Creds): Promise<boolean> {
  const socket = openSocket(baileys, files, creds)
  const end = await endOf(socket, () => socket.end(undefined))
  if (end === null) await socket.logout()
  await socket.end(undefined)
  return end === null || end === LOGGED_OUT
}

// The first connection ends when the phone has scanned; the second one proves the credentials.
async function link(login: Login, creds: Creds): Promise<number | null> {
  const end = await connect(login, creds)
  return end === RESTART_REQUIRED ? connect(login, creds) : end
}

async function connect({ baileys, files, show }: Login, creds: Creds): Promise<number | null> {
  const socket = openSocket(baileys, files, creds)
  const end = await endOf(socket, show)
  await socket.end(undefined)
  return end
}

// Resolves with null when it is open, else with what it was closed with; 0: nobody said.
function endOf(socket: Socket, show: (code: string) => void): Promise<number | null> {
  return new Promise((resolve) => {
    socket.ev.on('connection.update', (update) => {
      const { isOpen, closedWith, qr } = standingOf(update)
      if (qr !== null) show(qr)
      if (isOpen) resolve(null)
      if (closedWith !== null) resolve(closedWith)
    })
  })
}
