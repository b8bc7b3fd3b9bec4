import { agents } from './app.js';

agents().synth();
