import { appOfRevision } from './revisions';

appOfRevision().synth();
