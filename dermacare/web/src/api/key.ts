/** The key that a server beyond loopback asks for: kept in this tab alone. */
const NAME = "dermacare-key";

export function readKey(): string | null {
  return sessionStorage.getItem(NAME);
}

export function keepKey(key: string): void {
  sessionStorage.setItem(NAME, key);
}

export function authorization(): Record<string, string> {
  const key = readKey();
  return key === null ? {} : { Authorization: `Bearer ${key}` };
}
