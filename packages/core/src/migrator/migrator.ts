import type { Database } from '../database.js'
import type { Driver } from '../drivers/driver.js'

export class Migrator {
  constructor(_db: Database, _driver: Driver) {}
}
