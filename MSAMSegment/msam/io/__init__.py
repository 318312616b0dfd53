"""Scans and masks in files, through SimpleITK; ITK's LPS world ends here."""
