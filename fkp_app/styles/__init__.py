"""What a face can wear: styles read and placed, and the sheet that shows them. `filters` puts them on."""
