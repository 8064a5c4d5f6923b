import { testDestination } from '../../contract/destination.ts'
import { realSubject, supabaseSubject } from './supabase-subject.ts'

testDestination('Supabase Storage', supabaseSubject)

// a real project, by its service key: a bucket is made for each test, and removed
const { LUMINA_TEST_SUPABASE_URL: url, LUMINA_TEST_SUPABASE_KEY: key } = process.env
if (url && key) testDestination('a real Supabase', () => realSubject(url, key))
