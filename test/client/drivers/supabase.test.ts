import { testDestination } from '../../contract/destination.ts'
import { supabaseSubject } from './supabase-subject.ts'

testDestination('Supabase Storage', supabaseSubject)
