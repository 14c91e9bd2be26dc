"""What is made of this repository: measures, the picture of the demo, the check of a release."""
