from app import agents

agents().synth()
