"""A status MIF as setup programs of the field write it."""

SUCCESS_MIF = b"""Start Component
  Name = "WORKSTATION"
  Start Group
    Name = "ComponentID"
    ID = 1
    Class = "DMTF|ComponentID|1.0"
    Start Attribute
      Name = "Manufacturer"
      ID = 1
      Access = Read-Only
      Storage = Specific
      Type = String(64)
      Value = "Contoso"
    End Attribute
    Start Attribute
      Name = "Product"
      ID = 2
      Access = Read-Only
      Storage = Specific
      Type = String(64)
      Value = "Editor"
    End Attribute
    Start Attribute
      Name = "Version"
      ID = 3
      Access = Read-Only
      Storage = Specific
      Type = String(64)
      Value = "4.2"
    End Attribute
  End Group
  Start Group
    Name = "InstallStatus"
    ID = 2
    Class = "MICROSOFT|JOBSTATUS|1.0"
    Start Attribute
      Name = "Status"
      ID = 1
      Access = Read-Only
      Storage = Specific
      Type = String(32)
      Value = "Success"
    End Attribute
    Start Attribute
      Name = "Description"
      ID = 2
      Access = Read-Only
      Storage = Specific
      Type = String(128)
      Value = "All of it was installed."
    End Attribute
  End Group
End Component
"""
"""Of Contoso Editor 4.2, which says success."""
