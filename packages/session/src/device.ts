/** Where a session was begun, as its user would know it again in a list. */
export interface Device {
  /** Address of the client. At most 64 characters are kept. */
  readonly address?: string | undefined
  /** What the browser says of itself. At most 512 characters are kept. */
  readonly userAgent?: string | undefined
  /** A name for the device, of your making. At most 200 characters are kept. */
  readonly label?: string | undefined
}

/** A device as its columns have it. */
export interface DeviceColumns {
  readonly address: string | null
  readonly userAgent: string | null
  readonly label: string | null
}

/** All of it may come from a header that an attacker wrote: what text cannot hold is replaced, what is long is cut. */
export function deviceColumns(device: Device | undefined): DeviceColumns | null {
  if (device === undefined) return null
  return {
    address: column(device.address, 64),
    userAgent: column(device.userAgent, 512),
    label: column(device.label, 200),
  }
}

function column(value: unknown, length: number): string | null {
  if (typeof value !== 'string' || value === '') return null
  return value.slice(0, length).replace(/\0|\p{Surrogate}/gu, '\ufffd')
}
