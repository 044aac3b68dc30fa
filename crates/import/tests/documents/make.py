"""Makes the Word, Excel and ODS documents of this folder with other programs than
ours: python-docx and openpyxl, and LibreOffice for the ODS file.

    python3 make.py
"""
import datetime
import subprocess

import docx
import openpyxl
from docx.shared import Pt

# A government back-out and rollback plan, as its template asks for it.
d = docx.Document()
d.add_heading("Deployment, Installation, Back-Out, and Rollback Guide", 0)
d.add_paragraph("Vista Imaging 3.0, patch MAG*3.0*412")
d.add_heading("1 Introduction", 1)
d.add_paragraph("This document describes how to deploy and back out the patch.")
d.add_heading("1.1 Roles and Responsibilities", 2)
t = d.add_table(rows=1, cols=3)
for cell, text in zip(t.rows[0].cells, ["Role", "Name", "Phone"]):
    cell.text = text
for row in [("Release Manager", "Dana Whitfield", "202-555-0143"), ("Site Lead", "Luis Ortega", "202-555-0175")]:
    for cell, text in zip(t.add_row().cells, row):
        cell.text = text
d.add_heading("4 Installation", 1)
d.add_heading("4.1 Installation Procedure", 2)
for text in ["Load the distribution.", "Install the package.", "Restart the listener."]:
    d.add_paragraph(text, style="List Number")
d.add_heading("5 Back-Out Procedure", 1)
d.add_heading("5.1 Back-Out Strategy", 2)
d.add_paragraph("The patch is backed out by restoring the routines that were saved at installation.")
d.add_heading("5.2 Back-Out Criteria", 2)
for text in ["Images cannot be displayed at the site", "More than 5 % of captures fail for 30 minutes"]:
    d.add_paragraph(text, style="List Bullet")
d.add_heading("5.3 Back-Out Risks", 2)
d.add_paragraph("Images captured with the patch have to be imported again.", style="List Bullet")
d.add_heading("5.4 Authority for Back-Out", 2)
d.add_paragraph("The Release Manager has the authority to order the back-out in consultation with the site.")
d.add_heading("5.5 Back-Out Steps", 2)
for text in ["Stop the imaging listener.", "Load the backup message of the routines.", "Restart the imaging listener."]:
    d.add_paragraph(text, style="List Number")
p = d.add_paragraph("CAUTION: Once the system has been restarted, the back-out procedure is no longer possible.")
p.runs[0].bold = True
d.add_heading("5.6 Back-Out Verification Procedure", 2)
d.add_paragraph("The checksums of the routines are those of patch 411.", style="List Bullet")
d.add_heading("6 Rollback Procedure", 1)
d.add_heading("6.1 Rollback Considerations", 2)
d.add_paragraph("Rollback concerns the data only.")
d.add_heading("6.2 Rollback Steps", 2)
for text in ["Restore the globals from the nightly backup.", "Replay the journal up to the start of the installation."]:
    d.add_paragraph(text, style="List Number")
code = d.add_paragraph()
run = code.add_run("D JRNRESTO^JOURNAL")
run.font.name = "Courier New"
run.font.size = Pt(9)
d.core_properties.created = d.core_properties.modified = datetime.datetime(2026, 1, 1)
d.save("government.docx")

# A backout checklist as a workbook.
w = openpyxl.Workbook()
s = w.active
s.title = "Backout"
s.append(["Backout checklist - CRM 12"])
s.append([])
s.append(["Seq", "Task", "Owner", "Planned start", "Duration", "Check", "Depends on"])
rows = [
    (1, "Inform the service desk", "Change Manager", datetime.time(2, 0), datetime.timedelta(minutes=5), "Desk has the text", None),
    (2, "Stop the CRM services", "App Ops", datetime.time(2, 5), datetime.timedelta(minutes=10), "No process listens on 8443", 1),
    (3, "Restore CRM database", "DBA", datetime.time(2, 15), datetime.timedelta(minutes=40), "Checksum of table ACCOUNT matches", 2),
    (4, "Start the CRM services", "App Ops", datetime.time(2, 55), datetime.timedelta(minutes=10), "Login page shows 11.4", 3),
]
for row in rows:
    s.append(row)
s.append(["Total", None, None, None, datetime.timedelta(minutes=65)])
s = w.create_sheet("Contacts")
s.append(["Role", "Name", "Phone", "Availability"])
s.append(["Change Manager", "Ines Roth", "+41 44 555 01 20", "on call"])
s.append(["DBA", "Marco Pini", "+41 44 555 01 21", "on call"])
s = w.create_sheet("Backups")
s.append(["Component", "Backup location", "Verified"])
s.append(["CRM database", "nas7:/crm/before12.dmp", "2026-02-27"])
s = w.create_sheet("Triggers")
s.append(["Trigger", "Threshold", "Severity"])
s.append(["Failed logins", "> 10 % for 10 minutes", "Critical"])
s.append(["Open tickets", ">50", "Major"])
w.properties.created = w.properties.modified = datetime.datetime(2026, 1, 1)
w.save("checklist.xlsx")
subprocess.run(["soffice", "--headless", "--convert-to", "ods", "checklist.xlsx"], check=True)
