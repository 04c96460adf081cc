/**
 * Prepares the template database that every test database is cloned from. Packages add the migrations their tests
 * expect to find; a test that is about migrating starts from a server without a template instead.
 */
export async function migrateAll(_url: string): Promise<void> {}
