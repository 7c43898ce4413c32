/** The contract, in memory. */
import { openMemory } from '../../store/memory.ts'
import { storeContract } from './contract.ts'

storeContract('store in memory', () => Promise.resolve(openMemory())).run()
